package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"vitalog/node"
)

// awaiting is what a command waits for after its writes are committed.
type awaiting struct{ until string }

const untilAvailable = "available"

func (a *awaiting) flags(c *cobra.Command) {
	c.Flags().StringVar(&a.until, "wait", "", "available: end when so many other validators hold it too that it outlives the member")
}

func (a *awaiting) check() error {
	if a.until != "" && a.until != untilAvailable {
		return misused("--wait %q: want %s", a.until, untilAvailable)
	}
	return nil
}

// await waits, if it is to, until resources are available. What they were written with has been done before.
func (m *member) await(ctx context.Context, a awaiting, resources []string) error {
	if a.until == "" {
		return nil
	}
	for some := range slices.Chunk(resources, node.MaxAwaited) {
		order, err := json.Marshal(node.AwaitOrder{Resources: some})
		if err != nil {
			return err
		}
		var got node.Awaited
		for again := true; again; again = got.Available < got.Asked {
			if err := m.control(ctx, http.MethodPost, "available", bytes.NewReader(order), &got); err != nil {
				err = fmt.Errorf("it is written, and not known to be held by others: %w", err)
				return advise(err, "nothing is to be written again; look at 'vitalog status'")
			}
		}
	}
	return nil
}
