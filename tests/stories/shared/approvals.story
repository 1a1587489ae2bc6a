# A tool call waits for somebody's word.
ann: /project create demo
  Created
ann: /ask demo use the tool
  @ waits
ann: /approve
  Allowed
  ~ It was allowed this once
ann: use the tool
  @ waits
ann: /deny --reason not now
  Denied
ann: /approval list
  No approval is open
