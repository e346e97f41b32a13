package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"vitalog/web"
)

// portalSaid is the last line of 'verify --portal --json'.
type portalSaid struct {
	Schema   string `json:"schema"`
	URL      string `json:"url"`
	Release  string `json:"release"` // of what is handed out; empty without a manifest
	Expected string `json:"expected"`
	Files    int    `json:"files"`
	Same     bool   `json:"same"`
}

var releaseHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// verifyPortal compares what a member hands out as the patient's app with this program's own, or with a release.
func (p *program) verifyPortal(ctx context.Context, address, release string) error {
	base, err := memberURL("--portal", address)
	if err != nil {
		return err
	}
	app, err := web.New()
	if err != nil {
		return err
	}
	where := "release " + release
	switch {
	case release == "", release == app.Release():
		release, where = app.Release(), "this program"
	case !releaseHash.MatchString(release):
		return misused("--release: want the 64 hex digits of a release, as 'sha256sum manifest' prints them")
	}
	s, err := app.Check(ctx, base.String(), release, http.DefaultTransport)
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
	same := len(s.Differences) == 0
	if p.json {
		err = errors.Join(err, p.line(portalSaid{"vitalog.portal/v1", base.String(), s.Release, s.Expected, s.Files, same}))
	} else if same {
		p.print("✓ %s hands out release %s: %s, as in %s", base, s.Release, count(s.Files, "file"), where)
	}
	if err != nil || same {
		return err
	}
	return advise(fmt.Errorf("%s: %s otherwise than in %s: %w", base, count(len(s.Differences), "file"), where, errAltered),
		"don't give it a passphrase or words: use 'vitalog portal --home %s' or another member; or see, with 'vitalog version' there, whether one of both is only older", base)
}
