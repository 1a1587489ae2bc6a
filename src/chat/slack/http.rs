//! The HTTP door: signed requests, checked before anything of them is believed.
