package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"vitalog/exchange"
	"vitalog/home"
	"vitalog/op"
	"vitalog/web"
)

// portalCheck is what 'verify --portal' was asked.
type portalCheck struct{ address, release, genesis, network string }

// portalSaid is the last line of 'verify --portal --json'.
type portalSaid struct {
	Schema     string         `json:"schema"`
	URL        string         `json:"url"`
	Release    string         `json:"release"` // of what is handed out; empty without a manifest
	Expected   string         `json:"expected"`
	Anchors    []portalAnchor `json:"anchors,omitempty"`    // the members' newest, on the ledger
	Validators int            `json:"validators,omitempty"` // of the network, if anchors were looked at
	Files      int            `json:"files"`
	Same       bool           `json:"same"`
}

// portalAnchor is the release that a member stands for.
type portalAnchor struct {
	Member    string `json:"member"`
	Validator bool   `json:"validator"`
	Release   string `json:"release"`
	Block     uint64 `json:"block"`
}

var releaseHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// verifyPortal compares what a member hands out as the patient's app with this program's own, with a release, or with what the members
// stand for.
func (p *program) verifyPortal(ctx context.Context, o portalCheck) error {
	base, err := memberURL("--portal", o.address)
	if err != nil {
		return err
	}
	app, err := web.New()
	if err != nil {
		return err
	}
	said := portalSaid{Schema: "vitalog.portal/v1", URL: base.String(), Expected: o.release}
	where := "release " + o.release
	if o.release != "" && !releaseHash.MatchString(o.release) {
		return misused("--release: want the 64 hex digits of a release, as 'sha256sum manifest' prints them")
	}
	if o.genesis != "" || o.network != "" {
		if err := p.anchored(ctx, o, &said); err != nil {
			return err
		}
		where = fmt.Sprintf("the release that %d of %d validators anchored on the ledger", said.standFor(said.Expected), said.Validators)
	} else if o.release == "" || o.release == app.Release() {
		said.Expected, where = app.Release(), "this program"
	}
	s, err := app.Check(ctx, base.String(), said.Expected, http.DefaultTransport)
	if errors.Is(err, web.ErrUnreachable) {
		return advise(fmt.Errorf("%s: %w: %w", base, errAway, err), "see that the member is up and its address is right")
	}
	if err != nil {
		return err
	}
	for _, d := range s.Differences {
		if p.json {
			err = errors.Join(err, p.line(struct {
				Schema string `json:"schema"`
				web.Difference
			}{"vitalog.portal-difference/v1", d}))
			continue
		}
		p.print("✗ %-8s %s", d.State, d.Path)
	}
	said.Release, said.Files, said.Same = s.Release, s.Files, len(s.Differences) == 0
	if p.json {
		err = errors.Join(err, p.line(said))
	} else if said.Same {
		p.print("✓ %s hands out release %s: %s, as in %s", base, s.Release, count(s.Files, "file"), where)
	}
	if err != nil || said.Same {
		return err
	}
	return advise(fmt.Errorf("%s: %s otherwise than in %s: %w", base, count(len(s.Differences), "file"), where, errAltered),
		"don't give it a passphrase or words: use 'vitalog portal --home %s' or another member; or see, with 'vitalog version' there, whether one of both is only older", base)
}

// anchored fills in what the members stand for, proven, and which release is to be expected then: the one that was asked for, or that of
// most validators. Fewer than it takes to be sure of one honest validator are an error.
func (p *program) anchored(ctx context.Context, o portalCheck, said *portalSaid) error {
	want, err := wantedNetwork(o.genesis, o.network, p)
	if err != nil {
		return err
	}
	g, member, err := memberOf(ctx, said.URL, want)
	if err != nil {
		return err
	}
	found, err := exchange.Anchors(ctx, home.Dial(said.URL, g, member, http.DefaultClient), op.UsePortal)
	if err != nil {
		return fmt.Errorf("%s: the anchors: %w", said.URL, err)
	}
	said.Validators = len(g.Validators())
	for _, a := range found {
		m := g.Members[a.Member]
		said.Anchors = append(said.Anchors, portalAnchor{m.Name, m.Validator, hex.EncodeToString(a.Hash[:]), a.Block})
	}
	if o.release == "" {
		for _, a := range said.Anchors {
			if said.standFor(a.Release) > said.standFor(said.Expected) {
				said.Expected = a.Release
			}
		}
	}
	if n := said.standFor(said.Expected); n*3 <= said.Validators {
		which := "any release"
		if said.Expected != "" {
			which = "release " + said.Expected
		}
		return advise(fmt.Errorf("%s: %d of %d validators anchored %s on the ledger: %w", said.URL, n, said.Validators, which, errAltered),
			"more than a third must stand for a release: 'vitalog portal anchor' at each member that updated its program")
	}
	return nil
}

// standFor is how many validators' newest anchor is this release.
func (s *portalSaid) standFor(release string) (n int) {
	for _, a := range s.Anchors {
		if a.Validator && a.Release == release {
			n++
		}
	}
	return n
}
