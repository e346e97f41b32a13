package home

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"vitalog/op"
	"vitalog/wire"
)

// memberHeader tells which member of the genesis answers.
const memberHeader = "Vitalog-Member"

const maxGenesis = 16 << 20 // bytes

// Discover asks the member whose service stands at base for the genesis, and which of its members it is. It is taken on trust: whoever
// begins like this holds the network's id against what other members publish.
func Discover(ctx context.Context, base string, c *http.Client) (g *op.Genesis, member int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+Prefix+"genesis", nil)
	if err != nil {
		return nil, 0, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxGenesis+1))
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("%w: %w", ErrUnreachable, err)
	case resp.StatusCode != http.StatusOK:
		return nil, 0, fmt.Errorf("%w: %s at %s", ErrUnreachable, resp.Status, base)
	case len(b) > maxGenesis:
		return nil, 0, fmt.Errorf("genesis of %s: %w", base, wire.ErrOversized)
	}
	if g, err = op.ParseGenesis(b); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", base, err)
	}
	member, err = strconv.Atoi(resp.Header.Get(memberHeader))
	if err != nil || member < 0 || member >= len(g.Members) {
		return nil, 0, fmt.Errorf("%s does not say which member of its genesis it is", base)
	}
	return g, member, nil
}
