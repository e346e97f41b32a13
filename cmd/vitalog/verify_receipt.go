package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"vitalog/key"
	"vitalog/op"
	"vitalog/receipt"
)

func (p *program) verifyReceiptCommand() *cobra.Command {
	var genesis string
	c := &cobra.Command{
		Use:   "receipt FILE",
		Short: "Check a receipt offline, with nothing but the genesis",
		Long: `Follows a receipt, or every receipt of an export of 'audit export', from the entry to the validators' signatures. It needs no network and no
member. What it rests on is the genesis: get that, or the network's id, from several members.`,
		Example: "  vitalog verify receipt labs-12.receipt --genesis genesis.json\n  vitalog verify receipt activity.jsonl --genesis genesis.json",
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&genesis, "genesis", "", "the network's genesis file")
	p.jsonFlag(c)
	c.RunE = p.soon(func(_ context.Context, args []string) error {
		g, b, err := p.readProof(genesis, args[0])
		if err != nil {
			return err
		}
		if bytes.HasPrefix(b, []byte("{")) {
			return p.verifyExport(g, args[0], b)
		}
		v, err := verifyReceipt(g, b)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		if p.json {
			return p.line(provenOf(g, v))
		}
		p.showProof(g, v)
		return nil
	})
	return c
}

// readProof reads what is to be checked offline, and the genesis that it is held against.
func (p *program) readProof(genesis, name string) (*op.Genesis, []byte, error) {
	g, err := readGenesis(genesis)
	if err != nil {
		return nil, nil, err
	}
	b, err := p.read(name)
	return g, b, err
}

// readGenesis reads the file that --genesis names.
func readGenesis(name string) (*op.Genesis, error) {
	if name == "" {
		return nil, misused("--genesis is missing: what it is held against")
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	g, err := op.ParseGenesis(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return g, nil
}

// verifyReceipt tells a receipt of a newer program from one that isn't as it was signed.
func verifyReceipt(g *op.Genesis, b []byte) (*receipt.Verified, error) {
	if len(b) > 0 && b[0] > receipt.Version {
		return nil, advise(fmt.Errorf("receipt of format version %d, this program reads %d", b[0], receipt.Version), "use a newer program")
	}
	r, err := receipt.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errAltered, err)
	}
	return r.Verify(g)
}

// proven is what a receipt shows, as it is printed.
type proven struct {
	Schema    string       `json:"schema"`
	Network   key.Network  `json:"network"`
	Log       key.Log      `json:"log"`
	Entry     uint64       `json:"entry"`
	Says      string       `json:"says"`
	Signer    key.Verifier `json:"signer"`
	At        time.Time    `json:"at"`
	Block     uint64       `json:"block"`
	BlockTime time.Time    `json:"blockTime"`
	Entries   uint64       `json:"entries"` // of the log in that state
	Signed    int          `json:"signed"`
	Of        int          `json:"of"`
}

func provenOf(g *op.Genesis, v *receipt.Verified) proven {
	return proven{"vitalog.proof/v1", g.Network(), v.Log, v.Number, v.Entry.Says.Kind().String(), v.Entry.Signer, time.UnixMilli(int64(v.Entry.At)).UTC(),
		v.Height, v.Time, v.Head.Size, v.Signed, v.Of}
}

func (p *program) showProof(g *op.Genesis, v *receipt.Verified) {
	x := provenOf(g, v)
	p.print("✓ entry %d of %v is on the ledger", x.Entry, x.Log)
	p.print("  it says    %s", x.Says)
	p.print("  signed by  %v", x.Signer)
	p.print("  at         %s", x.At.Format(time.RFC3339))
	p.print("  in         the state of block %d, %s; the log has %s there", x.Block-1, x.BlockTime.Format(time.RFC3339), entries(x.Entries))
	p.print("  agreed on  by %d of %d validators of %q", x.Signed, x.Of, g.Name)
	p.print("It rests on the genesis of %v, and on less than a third of its validators being dishonest.", x.Network)
}

// verifyExport checks an export of the patient's activity: every row against its receipt, and that the last line counts them.
func (p *program) verifyExport(g *op.Genesis, name string, b []byte) error {
	lines := json.NewDecoder(bytes.NewReader(b))
	for n := 0; ; {
		var raw json.RawMessage
		if err := lines.Decode(&raw); errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: %w: it has no last line that counts its rows", name, errAltered)
		} else if err != nil {
			return fmt.Errorf("%s: row %d: %w: %w", name, n+1, errAltered, err)
		}
		var s seen
		if err := json.Unmarshal(raw, &s); err != nil {
			return fmt.Errorf("%s: row %d: %w: %w", name, n+1, errAltered, err)
		}
		switch s.Schema {
		case "vitalog.audit/v1":
			n++
			if err := s.holds(g); err != nil {
				return fmt.Errorf("%s: row %d: %w", name, n, err)
			}
		case "vitalog.audit-proof/v1":
			var end proof
			if err := json.Unmarshal(raw, &end); err != nil || end.Rows != n || end.Network != g.Network() {
				return fmt.Errorf("%s: %w: it has %d rows of another network, or not the %d that it says", name, errAltered, n, end.Rows)
			}
			p.print("✓ %s, each proven to be on the ledger of %v", count(n, "access row"), g.Network())
			p.say("names, roles and reasons are the members' words, sealed to the patient; the receipts prove that, when and by which key was asked")
			return nil
		default:
			return fmt.Errorf("%s: row %d: schema %q, this program reads vitalog.audit/v1", name, n+1, s.Schema)
		}
	}
}

// holds tells whether the row's receipt is about the entry that the row names, with the time and the decision that it tells.
func (s *seen) holds(g *op.Genesis) error {
	v, err := verifyReceipt(g, s.Receipt)
	if err != nil {
		return err
	}
	if v.Log != s.Log || v.Number != s.Entry || !time.UnixMilli(int64(v.Entry.At)).Equal(s.At) {
		return fmt.Errorf("%w: the receipt is about another access", errAltered)
	}
	if a, ok := v.Entry.Says.(*op.Accessed); ok && (a.Why == 0) != (s.Result == "opened") {
		return fmt.Errorf("%w: the ledger says otherwise than %q", errAltered, s.Result)
	}
	return nil
}
