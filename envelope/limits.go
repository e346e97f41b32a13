package envelope

import "vitalog/key"

// Version of the header's format, and number of the only suite: X-Wing, BLS12-381, HKDF-SHA256, AES-256-GCM.
const Version = 1

// Limits of the format.
const (
	MaxHeader  = 16 << 10 // bytes of an encoded header
	MaxReaders = 8        // reader locks, each for another epoch
	MaxAuthor  = 512      // bytes of an author lock
	MaxPadded  = 1 << 40  // bytes of a padded plaintext

	// ChunkSize is the plaintext of every chunk but the last, which has 1 to ChunkSize bytes. Chunk i begins at i·(ChunkSize+16).
	ChunkSize = 64 << 10

	tagSize  = 16
	lockSize = key.SealOverhead + 32
)
