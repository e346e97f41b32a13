package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"rsc.io/qr"

	"vitalog/exchange"
	"vitalog/grant"
	"vitalog/node"
)

func (p *program) patientCommand() *cobra.Command {
	return group("patient", "Patients in the member's custody", "  vitalog patient card --patient 'urn:mrn|1' --svg card.svg", p.patientCardCommand())
}

func (p *program) patientCardCommand() *cobra.Command {
	who := exchange.Asker{Practitioner: "cards", Name: "Cards", Role: "records system", Purpose: exchange.Treat}
	var patient, svg string
	var text bool
	c := &cobra.Command{
		Use: "card", Short: "Make a claim card for a patient in the member's custody",
		Long: `Makes a card by which the patient takes the chart over, in the app or with 'vitalog claim', and ends the one before it. It is a secret: whoever
comes with it first is the patient. It ends with the claim; what the member was granted stays until the patient stops it.
Without a flag it is shown as a code and a QR code; --svg writes it into a file of mode 0600 instead.`,
		Example: "  vitalog patient card --patient 'urn:mrn|1'\n  vitalog patient card --patient 4c1d… --svg card.svg", Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&patient, "patient", "", "chart id, or identifier system|value")
	c.Flags().StringVar(&svg, "svg", "", "file to be written, for printing")
	c.Flags().BoolVar(&text, "text", false, "the code alone, without the QR code")
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, _ []string) error {
		if patient == "" || svg != "" && text {
			return misused("say whose card: --patient, and at most one of --svg and --text")
		}
		m, id, err := p.chartAt(ctx, who, patient)
		if err != nil {
			return err
		}
		code, err := m.newCard(ctx, id)
		if err != nil {
			return err
		}
		if svg != "" {
			return writeCard(svg, code)
		}
		p.print("%s", code)
		if text {
			return nil
		}
		picture, err := cardQR(code)
		if err != nil {
			return err
		}
		p.print("%s", blocks(picture))
		return nil
	})
	return c
}

// newCard has the running member make a card.
func (m *member) newCard(ctx context.Context, chart string) (code string, err error) {
	var card node.Card
	err = m.control(ctx, http.MethodPost, "card?"+url.Values{"chart": {chart}}.Encode(), nil, &card)
	return card.Code, err
}

// card writes the card of a patient who was enrolled, unless it was written before.
func (i *importer) card(ctx context.Context, chart string) error {
	path := filepath.Join(i.cards, chart+".svg")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	code, err := i.m.newCard(ctx, chart)
	if err != nil {
		return err
	}
	return writeCard(path, code)
}

// cardText tells who is given a card what it is for.
var cardText = []string{
	"A health record is kept for you. With this card it becomes yours: open the patients' app",
	"of any member and choose “I have a claim card”. Have paper at hand for your 24 words.",
	"Whoever uses the card first has the record, and it works once: keep it like a key.",
}

// writeCard writes a card as SVG, for its owner's eyes alone; a crash leaves no half of it.
func writeCard(path, code string) error {
	picture, err := cardQR(code)
	if err != nil {
		return err
	}
	const cell, quiet, width = 4, 4, 560
	side := (picture.Size + 2*quiet) * cell
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="monospace"><rect width="100%%" height="100%%" fill="white"/>`, width, side+230)
	fmt.Fprintf(&b, `<text x="16" y="30" font-size="18">VITALOG CLAIM CARD</text><path d="`)
	for y := range picture.Size {
		for x := range picture.Size {
			if picture.Black(x, y) {
				fmt.Fprintf(&b, "M%d %dh%dv%dh-%dz", (x+quiet)*cell, 36+(y+quiet)*cell, cell, cell, cell)
			}
		}
	}
	b.WriteString(`"/>`)
	groups := strings.Split(code, "-")
	for at := 0; at < len(groups); at += 4 {
		fmt.Fprintf(&b, `<text x="16" y="%d" font-size="20">%s</text>`, side+62+at/4*24, strings.Join(groups[at:at+4], " - "))
	}
	for i, line := range cardText {
		fmt.Fprintf(&b, `<text x="16" y="%d" font-size="13" font-family="sans-serif">%s</text>`, side+166+i*18, line)
	}
	b.WriteString("</svg>\n")
	tmp, err := os.CreateTemp(filepath.Dir(path), ".card-") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // it is gone if it was renamed
	if _, err = tmp.Write(b.Bytes()); err == nil {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// cardQR is the code as a QR code, which phones read as a link.
func cardQR(code string) (*qr.Code, error) {
	return qr.Encode(grant.ClaimURI+strings.ReplaceAll(code, "-", ""), qr.M)
}

// blocks draws a QR code with half blocks, dark on light, with its quiet zone.
func blocks(c *qr.Code) string {
	const quiet = 2
	var b strings.Builder
	for y := -quiet; y < c.Size+quiet; y += 2 {
		for x := -quiet; x < c.Size+quiet; x++ {
			switch up, down := c.Black(x, y), c.Black(x, y+1); {
			case up && down:
				b.WriteString(" ")
			case up:
				b.WriteString("▄")
			case down:
				b.WriteString("▀")
			default:
				b.WriteString("█")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}
