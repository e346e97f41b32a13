package op

import "time"

// Limits of the formats. They are part of the protocol: raising one is a new format version.
const (
	MaxTx            = 1 << 20 // bytes of a transaction
	MaxOperations    = 1024    // operations in a transaction
	MaxBody          = 256 << 10
	MaxRecords       = 1000 // records in one append
	MaxAccessEntries = 1000 // entries named by one access
	MaxRanges        = 64   // ranges of a grant or an access
	MaxGrants        = 1024 // grants in a log's lifetime that its head remembers
	MaxOwners        = 8
	MaxErased        = 4096 // separate ranges of blocked entries in a log
	MaxKept          = 4096 // separate ranges of kept entries in a log
	MaxMembers       = 128
	MaxSealed        = 256 << 10 // bytes of a sealed message: grant message, post, access detail
	MaxName          = 128       // bytes of a member's name
	MaxEndpoint      = 256
	MaxEntry         = 4 << 10 // bytes of an encoded entry
	MaxHead          = 2 << 20 // bytes of an encoded head
	MaxErasure       = 1000    // entries named by one erasure
	MaxDelegation    = 8       // grants in a chain, from the owner's down
	MaxNamed         = 60      // hashes in each list of a storage receipt: both fit into an entry

	// MaxWindow is how far ahead of the ledger clock an operation may expire. Inside it its replay is remembered, after it it is void.
	MaxWindow = 10 * time.Minute
	// MaxClockSkew is how far a proposer's clock may be from a validator's own.
	MaxClockSkew = 5 * time.Second
	// ReleaseWindow is how old an access may be, on the ledger clock, when a member still releases for it.
	ReleaseWindow = 2 * time.Minute
	// MaxKeep is how far ahead of the ledger clock an author may say that it keeps its copy until: 100 years.
	MaxKeep = 36_525 * 24 * time.Hour
	// KeepWithin is how long after a destroy its author may say that it keeps its copy, or until when: as long as there is to delete the record.
	KeepWithin = 30 * 24 * time.Hour
	// MaxRefusals per key and hour are entries of their own; of further ones only the number is kept.
	MaxRefusals = 8
)
