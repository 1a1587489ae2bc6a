# From nothing to an answer, and what others see of it.
ann: /project list
  You have no projects yet
ann: /project create demo
  Created the project `demo`
ann: /project create demo
  ! already have a project `demo`
ann: /project create Shop!
  ! /project create
ann: /ask demo say 3 words
  w1 w2 w3
ann: say 4 words
  w1 w2 w3 w4
ann: /session show
  say 4 words
bob: /project show demo
  ! There is no project `demo` that you can see
ann: /project show demo
  active
ann: /whoami
  You own 1 project
ann: /nonsense
  ! nonsense
