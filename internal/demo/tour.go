package demo

import (
	"context"
	"fmt"
	"time"

	"vitalog/exchange"
	"vitalog/synthetic"
)

// Step is one step of the tour, after it was seen to hold or to fail.
type Step struct {
	Schema  string         `json:"schema"`
	Step    int            `json:"step"`
	Of      int            `json:"of"`
	Name    string         `json:"name"`
	OK      bool           `json:"ok"`
	Seconds float64        `json:"seconds"`
	Shows   map[string]any `json:"shows,omitempty"`
	Lines   []string       `json:"-"` // for people
	Error   string         `json:"error,omitempty"`
}

// tour is what the steps share.
type tour struct {
	*deeds
	person  *synthetic.Patient
	moreau  *Staff // of Hôpital du Lac
	granted uint64 // block of the grant of step 3
	now     time.Time
}

// Tour tells the story on the demo in w, which is running, and hands each step to tell as it ends. It stops at the first that fails.
func Tour(ctx context.Context, w *World, tell func(Step)) error {
	d, err := w.deeds(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = d.close() }() // nothing is written there that isn't acknowledged
	t := &tour{deeds: d, person: synthetic.Patients(Seed, 1, Day)[0], now: time.Now()}
	abroad := exchange.Asker{Practitioner: "moreau", Name: "Dre Claire Moreau", Role: "general practitioner", Purpose: exchange.Treat, Reason: "new patient"}
	if t.moreau, err = w.Staff(Lac, abroad); err != nil {
		return err
	}
	if err := t.afresh(ctx); err != nil { // what ran here before left grants
		return err
	}
	steps := []struct {
		name string
		run  func(context.Context, *Step) error
	}{
		{"The record grows: four writers, one chart", t.grows},
		{"Dr. Okafor opens Maria's blood pressure", t.isRefused},
		{"Her request reaches Maria, who narrows it", t.isGiven},
		{"Dr. Okafor asks again", t.isRead},
		{"Maria moves abroad and shares with Hôpital du Lac", t.moves},
		{"What Maria sees", t.sees},
		{"What the cloud sees", t.illegible},
		{"One bit flipped in the cloud", t.flipped},
	}
	for i, s := range steps {
		step := Step{Schema: "vitalog.tour/v1", Step: i + 1, Of: len(steps), Name: s.name, Shows: map[string]any{}}
		began := time.Now()
		err := s.run(ctx, &step)
		step.Seconds = time.Since(began).Seconds()
		if step.OK = err == nil; err != nil {
			step.Error = err.Error()
		}
		tell(step)
		if err != nil {
			return fmt.Errorf("step %d: %s: %w", i+1, s.name, err)
		}
	}
	return nil
}

func (s *Step) say(format string, a ...any) { s.Lines = append(s.Lines, fmt.Sprintf(format, a...)) }
