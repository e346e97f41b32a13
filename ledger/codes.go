package ledger

import (
	"fmt"

	"vitalog/key"
)

// Code says what became of an operation. Numbers are permanent: they are part of a block's results, on which members must agree.
type Code uint32

const (
	OK            Code = 0
	Malformed     Code = 1  // does not decode, or fields that don't go together
	Signature     Code = 2  // does not verify
	Replayed      Code = 3  // was executed before
	Expired       Code = 4  // by the ledger clock
	TooFarAhead   Code = 5  // expires more than op.MaxWindow ahead
	UnknownLog    Code = 6  // no such log
	LogExists     Code = 7  // created before
	WrongLogID    Code = 8  // not the id that follows from signer and salt
	BadTicket     Code = 9  // not that member's ticket for that subject
	TicketsSpent  Code = 10 // the issuer's tickets are all used
	NotOwner      Code = 11 // only an owner of the log may
	NotGranted    Code = 12 // a key that was never granted anything in this log
	NoRight       Code = 13 // the key's grants don't allow it, or not now
	StaleEpoch    Code = 14 // not the epoch of the log's head: seal a new reader lock
	WrongNetGen   Code = 15 // not the newest network key: seal a new network lock
	NoNetworkKey  Code = 16 // the members have not made one yet: try later
	RecordExists  Code = 17 // the record's id is or was in the log
	NoSuchGrant   Code = 18 // no such grant, or it has ended
	GrantTooWide  Code = 19 // more than the grant that it is cut from
	TooManyGrants Code = 20 // in the log, or in the chain
	NoSuchEntry   Code = 21 // beyond the log's end, or of another kind
	NotAuthor     Code = 22 // neither owner nor author of all records named
	Quota         Code = 23 // of the log or of the key: try later
	NotValidator  Code = 24 // only a validator's member key may
	WrongPhase    Code = 25 // the ceremony is elsewhere, or its phase isn't over
	BadCeremony   Code = 26 // a contribution that doesn't verify
	KeyInUse      Code = 27 // the key already has a role in this log
	BadProof      Code = 28 // the new key has not agreed to take over
	TooManyErased Code = 29 // separate ranges of erased entries, or of kept ones
	NotMember     Code = 30 // only a member's key may
	UnsoundKey    Code = 31 // no point of the curve, or one under which anybody can sign
	OutOfLine     Code = 32 // not what follows the signer's last storage receipt
	NotUntil      Code = 33 // a copy can't be kept until then: it is over, or too far ahead
	NamedBefore   Code = 34 // a record's ciphertext is named once, and nothing else has its hash
)

var codeText = [...]string{"ok", "malformed", "signature does not verify", "replayed", "expired", "expires too far ahead", "unknown log",
	"log exists", "wrong log id", "bad admission ticket", "the issuer's tickets are spent", "not an owner of the log",
	"key was never granted anything here", "right not granted", "stale epoch", "not the newest network key", "no network key yet",
	"record id was used before", "no such grant", "wider than its parent", "too many grants", "no such entry", "not the author",
	"quota used up", "not a validator", "wrong phase of the ceremony", "bad contribution to the ceremony", "key already in use",
	"new key does not agree", "too many separate erasures", "not a member", "unsound key", "not what follows the last storage receipt", "no moment to keep a copy until", "ciphertext was named before"}

// String is a few plain words.
func (c Code) String() string {
	if int(c) < len(codeText) {
		return codeText[c]
	}
	return fmt.Sprintf("code %d", uint32(c))
}

// Error is String, so that callers can branch with errors.Is(err, ledger.StaleEpoch).
func (c Code) Error() string { return c.String() }

// Result is what became of one operation.
type Result struct {
	Code   Code
	Detail string // for people; not part of what members agree on
	Log    key.Log
	First  uint64 // number of the first entry that it became
	Count  int    // how many entries; 0 for an access that was refused and only counted
}

// Err is nil if the operation was executed.
func (r *Result) Err() error {
	if r.Code == OK {
		return nil
	}
	if r.Detail == "" {
		return r.Code
	}
	return fmt.Errorf("%w: %s", r.Code, r.Detail)
}

// no is a refusal.
func no(c Code, format string, args ...any) *Result {
	return &Result{Code: c, Detail: fmt.Sprintf(format, args...)}
}
