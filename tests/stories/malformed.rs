//! What people and scripts type wrongly: each is refused with a sentence, and nothing else happens.
