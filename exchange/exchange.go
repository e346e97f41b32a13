// Package exchange has the flows of the network: Enrol, Publish, Request, Grant, Open, Revoke, Claim, for members and for patients.
//
// It promises the order of effects. What is acknowledged was durable first, then on the ledger; what is read was first on the ledger,
// then released by the network, then opened. Open, OpenBinary and OpenCopy are the only functions of a member that open an envelope, and their first
// effect is to submit the access; that of OwnerLocks, which opens no content, is the same. It refuses to tell "not there" from "not shared".
//
//	Publish  ciphertext durable → operation committed → acknowledged; AwaitAvailable: → held by others, as they say on the ledger
//	Open     access committed → k members release → ciphertext verified → opened
//
// An attachment goes the same ways as a stream, in bounded memory: PublishAttachment, OpenBinary.
//
// See ARCHITECTURE.md for the crash points.
package exchange

import (
	"errors"
	"fmt"
	"time"

	"vitalog/chart"
	"vitalog/consent"
	"vitalog/fhir"
	"vitalog/key"
	"vitalog/section"
)

// Treat is the default purpose of use (HL7 v3-ActReason).
const Treat = "TREAT"

// Legal is the purpose of who opens an author copy because a law or a court asks: there is no grant, and no key, for it.
const Legal = "HLEGAL"

// Purposes of use that a grantee key can be made for: HL7 v3-ActReason codes.
var Purposes = []string{"TREAT", "ETREAT", "HPAYMT", "HOPERAT", "HRESCH", "PUBHLTH", "FAMRQT", "PATRQT"}

// ErrNotShared is the one answer for what is not there, not shared, or shared for another purpose.
var ErrNotShared = errors.New("not found, or not shared with you for this purpose")

// ErrConflict says that a write meets another one.
var ErrConflict = errors.New("conflicts with what is there")

// ErrInvalid wraps what a caller got wrong.
var ErrInvalid = errors.New("invalid")

// Refused is an access that the validators decided against, or that the patient ended before it was released. It is on the ledger, and the
// patient sees it.
type Refused struct {
	Why   consent.Reason
	Log   key.Log
	Entry uint64 // 0: there were many in this hour, and it was only counted
	Block uint64 // for a counted one the newest when it had been counted
}

// Error says why, in plain words.
func (r *Refused) Error() string {
	if r.Entry == 0 {
		return fmt.Sprintf("refused: %v; after many in this hour the attempt was counted, by block %d", r.Why, r.Block)
	}
	return fmt.Sprintf("refused: %v; the attempt is recorded in block %d", r.Why, r.Block)
}

// Asker is who reads or writes at a member, and what for. The patient sees it; it is never on the ledger.
type Asker struct {
	Practitioner string // id at the member
	Name         string
	Role         string
	Purpose      string // v3-ActReason code
	Reason       string // plain words, optional
	Machine      bool   // done by a program, not by a person
}

// Draft is one resource to publish.
type Draft struct {
	Resource   *fhir.Resource
	ID         string // its logical id, chosen by the gateway
	Section    section.Section
	Group      string      // resources of one group and section are sealed into one record: an encounter, a device-day
	Refs       []chart.Ref // references to write differently on the way out
	Supersedes []uint64    // entries that hold the versions this one replaces
	Deleted    bool        // the resource ends: of Resource only the type counts
}

// Published says where a draft now stands.
type Published struct {
	Log   key.Log
	Entry uint64 // its version id
	At    time.Time
	Block uint64
}

// Opened is what one Open gave. Close gives it back.
type Opened struct {
	Chart  *chart.Chart
	Rows   []Row   // the accesses that it left on the ledger, or in the outbox
	Errors []error // records that did not open, each named; the others are in Chart
	// Refused are the accesses that the validators decided against while they allowed others: the chart lacks what they were for.
	Refused []*Refused

	lease *lease
}

// Close says that nothing made of the chart is read any more. What is no longer held in memory is overwritten with the last answer
// that stands on it, so Chart, and what Render has not copied, is not to be touched afterwards. Closing again does nothing.
func (o *Opened) Close() { o.lease.end() }

// Row is one access on the ledger, or on its way there.
type Row struct {
	Log      key.Log
	Entry    uint64 // 0 if InOutbox
	Block    uint64 // 0 if InOutbox
	Records  int
	Section  section.Section
	InOutbox bool // a further use of what was open: it is in the outbox, and on the ledger within seconds
}
