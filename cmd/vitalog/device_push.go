package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/home"
	"vitalog/key"
	"vitalog/keyring"
)

// pushed is one record of a device as it is printed.
type pushed struct {
	Schema   string    `json:"schema"`
	Device   string    `json:"device"`
	Day      string    `json:"day"`
	Readings []string  `json:"readings"` // logical ids
	Again    bool      `json:"again"`    // it was there before
	Log      key.Log   `json:"log"`
	Entry    uint64    `json:"entry"`
	Block    uint64    `json:"block"`
	At       time.Time `json:"at"`
	Signed   int       `json:"signed"`
	Of       int       `json:"of"`
}

func (p *program) devicePushCommand() *cobra.Command {
	var file, devicePass, address, since string
	c := &cobra.Command{
		Use:   "push FILE|-",
		Short: "Write readings, as the device",
		Long: `Reads FHIR Observations: one, a bundle, or one on each line; or the export.xml of Apple Health, or records
of Android's Health Connect as JSON, of any size. Seals one record for each day, here, and publishes it through the device's home member.
Readings that were pushed before are found and not written twice, so that a push that broke off is simply repeated. A later export has the
days of an earlier one too: with --since only days from then on are read.`,
		Example: "  vitalog device push --device wristband.device today.json\n  vitalog device push --device phone.device apple_health_export/export.xml --since 2026-03-01\n  vitalog device push --device phone.device health-connect.json\n  cat *.ndjson | vitalog device push --device wristband.device --device-passphrase-file p -",
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&file, "device", "", "the device's file")
	c.Flags().StringVar(&devicePass, "device-passphrase-file", "", "file that holds the device file's passphrase, mode 0600 (default: ask)")
	c.Flags().StringVar(&address, "home", "", "address of another home member than the file names")
	c.Flags().StringVar(&since, "since", "", "first day that is read of an export of Apple Health or Health Connect: 2026-03-01")
	p.jsonFlag(c)
	push := func(ctx context.Context, args []string) error {
		if file == "" {
			return misused("--device is missing: the device's file")
		}
		x, err := exportAt(args[0])
		if err != nil {
			return err
		}
		if _, err := time.Parse(time.DateOnly, since); since != "" && (err != nil || x == nil) {
			return misused("--since %s: want a day, and an export of Apple Health or Health Connect", since)
		}
		var readings []*fhir.Resource
		if x == nil {
			raw, err := p.read(args[0])
			if err != nil {
				return err
			}
			if readings, err = readReadings(raw); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
		}
		passphrase, err := p.devicePassphrase(devicePass, false)
		if err != nil {
			return err
		}
		keys, err := keyring.OpenDevice(file, passphrase)
		if err != nil {
			return err
		}
		d, err := dialDevice(ctx, keys, address)
		if err != nil {
			return err
		}
		write := func(readings []*fhir.Resource) error {
			done, err := d.Push(ctx, readings)
			for _, x := range done {
				if e := p.showPushed(keys.Name(), x); e != nil {
					return e
				}
			}
			return err
		}
		if x != nil {
			err = p.pushExport(ctx, x, since, write)
		} else {
			err = write(readings)
		}
		if errors.Is(err, exchange.ErrNotShared) {
			return fmt.Errorf("the patient lets this device write no more: %w", errRefused)
		}
		return err
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if x, _ := exportAt(args[0]); x != nil { // what is wrong with the file, push tells
			return p.long(push)(c, args)
		}
		return p.soon(push)(c, args)
	}
	return c
}

// dialDevice joins a device with its home member, or with another one.
func dialDevice(ctx context.Context, keys *keyring.Device, address string) (*exchange.Device, error) {
	if address == "" {
		address, _ = keys.Home()
	}
	g, member, err := home.Discover(ctx, address, http.DefaultClient)
	if err != nil {
		return nil, err
	}
	return exchange.NewDevice(home.Dial(address, g, member, http.DefaultClient), keys)
}

func (p *program) showPushed(device string, x exchange.Pushed) error {
	if p.json {
		return p.line(pushed{Schema: "vitalog.pushed/v1", Device: device, Day: x.Day, Readings: x.Readings, Again: x.Again, Log: x.Log, Entry: x.Entry, Block: x.Block, At: x.At.UTC(), Signed: x.Signed, Of: x.Of})
	}
	was := ""
	if x.Again {
		was = ", was there before"
	}
	p.print("✓ %s: %s sealed in entry %d of %v: final in block %d (%d of %d signed)%s", x.Day, count(len(x.Readings), "reading"), x.Entry, x.Log, x.Block, x.Signed, x.Of, was)
	return nil
}

// maxLine is how long a line of readings may be, in bytes.
const maxLine = 16 << 20

// readReadings reads a resource, a bundle of them, or one on each line.
func readReadings(raw []byte) (out []*fhir.Resource, err error) {
	r, err := fhir.Parse(raw)
	switch {
	case err == nil && r.Type() == "Bundle":
		_, err := fhir.ReadBundle(bytes.NewReader(raw), func(e *fhir.Entry) error {
			if e.Invalid != nil {
				return e.Invalid
			}
			if e.Resource != nil {
				out = append(out, e.Resource)
			}
			return nil
		})
		return out, err
	case err == nil:
		return []*fhir.Resource{r}, nil
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		r, lineErr := fhir.Parse(bytes.Clone(line))
		if lineErr != nil && n == 1 {
			return nil, err // it is no list of lines: what is wrong with the whole tells more
		}
		if lineErr != nil {
			return nil, fmt.Errorf("line %d: %w", n, lineErr)
		}
		out = append(out, r)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return out, nil
}
