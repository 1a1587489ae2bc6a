# A secret is asked for in a form and never shown again.
ann: /project create demo
  Created
ann: /project secret set demo API_KEY
  ? value = hunter2-of-ann
  Set `API_KEY`
ann: /project secret list demo
  API_KEY
ann: /secret set GLOBAL_KEY
  ? value = hunter2-everywhere
  Set `GLOBAL_KEY`
ann: /project secret set demo API_KEY hunter2-typed
  ! never typed into a command
ann: /project secret unset demo API_KEY
  Removed `API_KEY`
