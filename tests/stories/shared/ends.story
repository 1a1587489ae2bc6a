# What destroys something asks first; what runs can be stopped.
ann: /project create demo --env GAGGLE_DEMO_PACE_MS=5
  Created
ann: /ask demo say 2000 words
  w1 w2 w3
ann: /session stop
  Stopped the answer
ann: say 2 words
  w1 w2
ann: /project deactivate demo
  inactive
ann: /project delete demo
  ? no
  ! nothing was done
ann: /project delete demo
  ? yes
  Deleted the project `demo`
ann: /project list
  You have no projects yet
