//! The Web API: one request, and what came of it. Knows no rates and tries nothing twice.
