# A project is its owner's until it is shared, by name or with a channel.
ann: /project create demo
  Created
bob: /ask demo hello
  ! There is no project `demo`
ann: /project share demo @BOB --role viewer
  may now use the project `demo` as viewer
bob: /project activate demo
  ! yours is viewer
ann: /project share demo @BOB
  as member
bob: /project delete demo
  ! yours is member
ann: /project unshare demo @BOB
  can no longer use
bob: /project show demo
  ! There is no project `demo`
ann: /project use demo
  is this channel's now
bob: /ask demo say 2 words
  w1 w2
bob: /project unuse
  ! Only the owner
ann: /project unuse
  no longer this channel's
bob: /project show demo
  ! There is no project `demo`
