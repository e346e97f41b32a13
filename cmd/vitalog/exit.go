package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"vitalog/consensus"
	"vitalog/exchange"
	"vitalog/home"
	"vitalog/keyring"
	"vitalog/receipt"
)

// The exit codes. They are permanent: scripts branch on them.
const (
	exitOK        = 0
	exitFailure   = 1
	exitUsage     = 2
	exitRefused   = 3 // by the patient's consent, or the asker's own role
	exitNotShared = 4 // not found or not shared: nobody can tell which
	exitIntegrity = 5 // something is not as it was signed
	exitNetwork   = 6 // no quorum, or nobody answers
	exitLocked    = 7 // the keyring stays shut
)

// usage is a mistake in the command line.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

func misused(format string, a ...any) error { return usage{fmt.Errorf(format, a...)} }

// advised is an error with what to do next.
type advised struct {
	error
	next string
}

func (a advised) Unwrap() error { return a.error }

func advise(err error, format string, a ...any) error {
	if err == nil {
		return nil
	}
	return advised{err, fmt.Sprintf(format, a...)}
}

// The kinds of failure that begin in this package.
var (
	errRefused      = errors.New("refused")
	errAltered      = errors.New("not as it was written")
	errAway         = errors.New("no answer")
	errNoPassphrase = errors.New("the keyring needs its passphrase")
	errUnwanted     = errors.New("nothing was changed")
)

// exitCode maps the kinds of errors to exit codes. It is the only place that does.
func exitCode(err error) int {
	var misuse usage
	var refused *exchange.Refused
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &misuse):
		return exitUsage
	case errors.As(err, &refused), is(errRefused, exchange.ErrCardNotGood, exchange.ErrCardUsed, exchange.ErrCardLater, exchange.ErrClaimedOther):
		return exitRefused
	case is(exchange.ErrNotShared):
		return exitNotShared
	case is(errAltered, keyring.ErrDamaged, receipt.ErrProof, receipt.ErrState, receipt.ErrValidators, receipt.ErrVote, receipt.ErrQuorum,
		receipt.ErrOrder, receipt.ErrDeletion, receipt.ErrOlder):
		return exitIntegrity
	case is(keyring.ErrLocked, errNoPassphrase):
		return exitLocked
	case is(errAway, home.ErrUnreachable, consensus.ErrNoQuorum, context.DeadlineExceeded):
		return exitNetwork
	}
	return exitFailure
}

// explain tells what happened and what to do next.
func (p *program) explain(err error) {
	var a advised
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return
	case errors.Is(err, exchange.ErrNotShared): // the same words for what is not there and for what is not shared
		err = exchange.ErrNotShared
		a.next = "check the address, or ask the patient: vitalog consent request --help"
	case errors.As(err, &a):
	default:
		a.next = nextFor(err)
	}
	fmt.Fprintf(p.talk, "%s %v\n", p.red("vitalog:"), err)
	if a.next != "" {
		fmt.Fprintf(p.talk, "next:    %s\n", a.next)
	}
}

// nextFor is the advice for errors that come without.
func nextFor(err error) string {
	var misuse usage
	switch {
	case errors.As(err, &misuse):
		return "vitalog help, or add --help to the command"
	case errors.Is(err, errRefused):
		return "ask the patient: vitalog consent request --help"
	case errors.Is(err, keyring.ErrLocked):
		return "try again with the right passphrase; nothing was changed"
	case errors.Is(err, keyring.ErrDamaged):
		return "put the keyring back from a backup"
	case errors.Is(err, home.ErrUnreachable):
		return "start the home member, or name another one in app.toml"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, consensus.ErrNoQuorum):
		return "look at 'vitalog status': more than two thirds of the validators must be up; or give it longer with --timeout"
	case errors.Is(err, syscall.EADDRINUSE):
		return "end what listens there; vitalog.toml in --dir has the member's addresses"
	case errors.Is(err, fs.ErrPermission):
		return "check who owns the directory, or choose another --dir"
	}
	return ""
}
