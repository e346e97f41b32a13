package exchange

import (
	"context"
	"fmt"

	"vitalog/key"
	"vitalog/keyring"
	"vitalog/op"
	"vitalog/section"

	"golang.org/x/sync/errgroup"
)

// createLogs makes logs for sections of a patient: for every one, also for those that stay empty, so that a missing one tells nothing; of who claims a
// chart the index alone.
//
// Crash points: the reader keys are durable first; logs that exist are left alone, so that it can be repeated.
func createLogs(ctx context.Context, home Home, patient *keyring.Patient, sections ...section.Section) error {
	ops := make([]*op.Operation, len(sections))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i, s := range sections {
		g.Go(func() error {
			log := patient.Log(s)
			if head, err := home.Head(gctx, log); err == nil && head != nil {
				return nil
			}
			for _, k := range []*key.Exchange{patient.ReaderPublic(s, 1), patient.Private(s).Exchange()} {
				if _, err := home.PutBlob(gctx, k[:]); err != nil {
					return err
				}
			}
			t, err := buyTicket(gctx, home, op.CreateSubject(log))
			if err != nil {
				return err
			}
			ops[i] = op.Sign(home.Genesis().Network(), patient.Owner(s), log, expiry(), &op.Create{Salt: patient.Salt(s), EpochKey: patient.ReaderPublic(s, 1).Hash(), Ticket: *t})
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("creating a patient's logs: %w", err)
	}
	var missing []*op.Operation
	for _, o := range ops {
		if o != nil {
			missing = append(missing, o)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if _, err := submitAll(ctx, home, missing...); err != nil {
		return fmt.Errorf("creating a patient's logs: %w", err)
	}
	return nil
}
