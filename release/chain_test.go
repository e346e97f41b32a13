package release_test

import (
	"vitalog/consensus"
	"vitalog/peer"
	"vitalog/release"
)

// What a member's process puts together.
var (
	_ release.Chain  = (*consensus.Node)(nil)
	_ release.Caller = (*peer.Client)(nil)
)
