package grant

// Version of all formats in this package.
const Version = 1

// Limits of the formats, in bytes where not said otherwise. They are part of the protocol: raising one is a new format version.
const (
	MaxPurpose       = 16   // of a v3-ActReason code: capital letters and digits
	MaxID            = 64   // of a FHIR logical id
	MaxLabel         = 128  // what a patient calls a grant
	MaxName          = 256  // of a practitioner, a role or an organisation
	MaxReason        = 4096 // of a reason or a note, which may have several lines
	MaxSeeds         = 4096 // epochs in one grant message
	MaxIntroductions = 32   // in one request: one per log
	MaxFurther       = 4096 // accesses of one reading in an outbox
	MaxLocks         = 100  // records in one Locks
	MaxLock          = 4096 // of one owner lock

	padTo = 512 // sealed plaintexts are padded to a multiple of this
)
