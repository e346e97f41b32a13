package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"vitalog/exchange"
	"vitalog/key"
	"vitalog/node"
)

// status is node.Status as the program reads it.
type status struct {
	Schema    string      `json:"schema"`
	Name      string      `json:"name"`
	Number    int         `json:"number"`
	Kind      string      `json:"kind"`
	Validator bool        `json:"validator"`
	Network   key.Network `json:"network"`
	API       string      `json:"api"`
	Ready     bool        `json:"ready"`
	Why       string      `json:"why,omitempty"`
	Chain     struct {
		Height                       uint64
		LastBlock                    time.Time
		Peers, Validators, Reachable int
		HaltedFor, ClockOff          time.Duration
		Abstains                     bool
	} `json:"chain"`
	Disk     string `json:"disk,omitempty"`     // why no writes are taken
	Free     uint64 `json:"diskFree,omitempty"` // bytes
	Reserve  uint64 `json:"diskReserve"`        // bytes
	Logs     uint64 `json:"logs"`
	NetGen   uint32 `json:"networkKeyGeneration"`
	Missing  int    `json:"missing"`
	Patients int    `json:"patients"`

	Incidents exchange.Incidents `json:"incidents"`

	Availability *exchange.Availability `json:"availability,omitempty"`
}

func (p *program) statusCommand() *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use:   "status",
		Short: "How the member is doing",
		Long: `Asks the running member how it is. In a demo without --as it asks all of them. It fails with exit code 6 when a member doesn't
answer or can't do its work.`,
		Example: "  vitalog status\n  vitalog status --wait 30s\n  vitalog status --as riverside-lab --json",
		Args:    cobra.NoArgs,
	}
	c.Flags().DurationVar(&wait, "wait", 0, "wait so long until the member is there and ready")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, _ []string) error {
		if wait > 0 {
			if err := p.awaitReady(ctx, wait); err != nil {
				return err
			}
		}
		return p.statusOfAll(ctx)
	})
	return c
}

// statusOfAll shows the member that is meant, or all of a demo.
func (p *program) statusOfAll(ctx context.Context) error {
	all, err := p.members()
	if err != nil {
		return err
	}
	var errs []error
	for i, m := range all {
		if i > 0 && !p.json {
			p.print("")
		}
		errs = append(errs, p.statusOf(ctx, m))
	}
	return errors.Join(errs...)
}

// statusOf shows one member.
func (p *program) statusOf(ctx context.Context, m *member) error {
	var s status
	if err := m.control(ctx, http.MethodGet, "status", nil, &s); err != nil {
		return err
	}
	if p.json {
		if err := p.line(s); err != nil {
			return err
		}
	} else {
		s.show(p)
	}
	if !s.Ready {
		return advise(fmt.Errorf("%s is not ready: %s: %w", s.Name, s.Why, errAway), "wait with 'vitalog status --wait 1m', and see that the other validators are up")
	}
	return nil
}

func (s *status) show(p *program) {
	state := "✓ ready"
	if !s.Ready {
		state = "! " + s.Why
	}
	role := "observer"
	if s.Validator {
		role = "validator"
	}
	p.print("%s   %s", s.Name, state)
	p.print("  FHIR       %s/fhir", s.API)
	p.print("  member     %d, %s, %s, in %v", s.Number, s.Kind, role, s.Network)
	p.print("  ledger     block %d, %s; %d of %d validators reachable, more than two thirds are needed", s.Chain.Height, count(s.Logs, "log"), s.Chain.Reachable, s.Chain.Validators)
	p.print("  patients   %d known here; network key of generation %d", s.Patients, s.NetGen)
	switch {
	case s.Disk != "":
		p.print("  ! %s", s.Disk)
	case s.Free > 0:
		p.print("  disk       %d MiB free, %d are the reserve", s.Free>>20, s.Reserve>>20)
	}
	if s.Missing > 0 {
		p.print("  ! %s still to be fetched from other members", count(s.Missing, "sealed item"))
	}
	if a := s.Availability; a != nil && a.Pending > 0 {
		p.print("  copies     %s not yet known to be held by others, since %s", count(a.Pending, "record"), stamp(a.Since))
	}
	if a := s.Availability; a != nil && a.Scarce > 0 {
		p.print("  ! %s held by too few other validators", count(a.Scarce, "ciphertext"))
	}
	s.showIncidents(p)
	if s.Chain.HaltedFor > 0 {
		p.print("  ! no block for %v although operations wait: see that more than two thirds of the validators are up", s.Chain.HaltedFor.Round(time.Second))
	}
	if s.Chain.Abstains {
		p.print("  ! it lost its last vote, and doesn't vote until two blocks were made without it: it needs no help")
	}
	if s.Chain.ClockOff != 0 {
		p.print("  ! this machine's clock is off by %v: set it, or its proposals are refused", s.Chain.ClockOff)
	}
}

// incidentsShown is how many incidents a person sees; --json has more.
const incidentsShown = 3

func (s *status) showIncidents(p *program) {
	k := s.Incidents
	switch {
	case k.Ever == 0:
		return
	case k.Unhealed > 0:
		p.print("  ! %s ever, %d not healed: see 'vitalog verify --heal'", count(k.Ever, "incident"), k.Unhealed)
	default:
		p.print("  incidents  %d ever, all healed", k.Ever)
	}
	for _, x := range k.List[:min(len(k.List), incidentsShown)] {
		place, end := "", "not healed"
		if x.Block > 0 {
			place = fmt.Sprintf(" of %.16s… entry %d, block %d", x.Log, x.Entry, x.Block)
		}
		if x.Healed != nil {
			end = "healed"
		}
		if x.From != nil {
			end += fmt.Sprintf(" from member %d", *x.From)
		}
		p.print("    %s  %s %s%s: %s", stamp(x.At), x.State, x.What, place, end)
	}
}

const lookAgain = 100 * time.Millisecond

// awaitReady waits until the member, which may only be in the making, says that it is ready.
func (p *program) awaitReady(ctx context.Context, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		err := p.readyNow(ctx)
		if err == nil {
			return nil
		}
		if exitCode(err) != exitNetwork && !errors.Is(err, node.ErrNoMember) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return advise(fmt.Errorf("after %v: %w: %w", wait, errAway, err), "see what it logs, and that the other validators are up")
		}
	}
}

// readyNow asks what anybody may ask.
func (p *program) readyNow(ctx context.Context) error {
	if _, s, err := p.demoState(); err == nil && p.as == "" && len(s.Patients) == 0 {
		return fmt.Errorf("the demo: %w: its patients are still being enrolled", errAway)
	}
	all, err := p.members()
	for _, m := range all {
		if err == nil {
			err = m.readyNow(ctx)
		}
	}
	return err
}

func (m *member) readyNow(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.config.URL()+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := m.http.Do(req)
	if err != nil {
		return m.away(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %w: %s", m.config.Name, errAway, resp.Status)
	}
	return nil
}
