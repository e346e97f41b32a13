package hl7

// Limits of what is read.
const (
	MaxMessage  = 16 << 20 // bytes of one message
	MaxSegments = 10_000
	MaxFields   = 512 // of one segment
	MaxRepeats  = 256 // of one field; more are an error, not left out
	MaxControl  = 199 // bytes of MSH-10, as in v2.8
)
