package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"vitalog/exchange"
	"vitalog/keyring"
	"vitalog/section"
)

func (p *program) deviceCommand() *cobra.Command {
	return group("device", "A patient's devices: they write under keys of their own", "  vitalog device add wristband --app ~/my-health --out wristband.device\n  vitalog device push --device wristband.device today.json",
		p.deviceAddCommand(), p.devicePushCommand(), p.deviceListCommand(), p.deviceRemoveCommand())
}

func (p *program) deviceAddCommand() *cobra.Command {
	var out, into, devicePass string
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Let a device write, as the patient",
		Long: `Makes a file for the device, sealed with a passphrase of its own, and grants its key the right to write into one section. The file holds
nothing that opens a record: who steals it can write until you remove the device, and read nothing. A name is used once.`,
		Example: "  vitalog device add wristband --app ~/my-health --out wristband.device\n  vitalog device add scale --app maria --section vitals --out scale.device --device-passphrase-file p",
		Args:    cobra.ExactArgs(1),
	}
	p.appFlag(c)
	c.Flags().StringVar(&out, "out", "", "file to be made for the device")
	c.Flags().StringVar(&into, "section", section.PatientGenerated.String(), "section that it writes into")
	c.Flags().StringVar(&devicePass, "device-passphrase-file", "", "file that holds the device file's passphrase, mode 0600 (default: ask)")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, args []string) error {
		s, err := section.Parse(into)
		if err != nil {
			return misused("--section: %v", err)
		}
		if out == "" {
			return misused("--out is missing: where the device's file goes")
		}
		a, err := p.patient()
		if err != nil {
			return err
		}
		if err := keyring.CheckDeviceName(args[0]); err != nil {
			return usage{err}
		}
		list, err := a.Sharing(ctx)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(list, func(g exchange.Shared) bool { return g.Device == args[0] }) {
			return advise(fmt.Errorf("a device %s writes, or wrote, for you: %w", args[0], errUnwanted), "choose another name")
		}
		passphrase, err := p.devicePassphrase(devicePass, true)
		if err != nil {
			return err
		}
		// The file is durable before the grant: a grant for a key that nobody has would help nobody.
		if _, err := a.keys.CreateDevice(out, passphrase, args[0], s, false, a.config.Home, a.config.Member); err != nil {
			return err
		}
		done, err := a.AddDevice(ctx, args[0], s)
		if err != nil {
			return fmt.Errorf("%s is made, and may write nothing yet: %w", out, err)
		}
		if !p.json {
			p.say("%s is for the device: whoever has it and its passphrase can write as the device, and read nothing", out)
		}
		return a.final(ctx, "vitalog.device/v1", []exchange.Shared{*done})
	})
	return c
}

// devicePassphrase gets the passphrase of a device's file, which is another than the keyring's.
func (p *program) devicePassphrase(file string, fresh bool) ([]byte, error) {
	if file != "" {
		return readPassphrase(file)
	}
	if !onTerminal(os.Stdin) {
		return nil, advise(fmt.Errorf("the device's file: %w", errNoPassphrase), "give --device-passphrase-file")
	}
	if !fresh {
		return p.ask("Passphrase of the device's file: ")
	}
	before, stdin := p.passphraseFile, p.passphraseStdin
	p.passphraseFile, p.passphraseStdin = "", false
	defer func() { p.passphraseFile, p.passphraseStdin = before, stdin }()
	return p.newPassphrase("the device's file")
}

// deviceRow is one device as it is printed.
type deviceRow struct {
	Schema  string    `json:"schema"`
	Device  string    `json:"device"`
	Section string    `json:"section"`
	State   string    `json:"state"` // active, stopped
	Records int       `json:"records"`
	Last    time.Time `json:"last,omitzero"` // of its records
	Log     string    `json:"log"`
	Entry   uint64    `json:"entry"` // of its grant
	Block   uint64    `json:"block"`
}

func (p *program) deviceListCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "The devices that write, or wrote, for the patient",
		Long:    "Lists each device with the section that it writes into, how many records it wrote there, and when the last.",
		Example: "  vitalog device list --app maria", Args: cobra.NoArgs,
	}
	p.appFlag(c)
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.asPatient(func(ctx context.Context, a *app, _ []string) error {
		devices, err := a.Devices(ctx)
		if err != nil {
			return err
		}
		rows := p.listing("DEVICE", "SECTION", "STATE", "RECORDS", "LAST")
		for _, d := range devices {
			g := a.row(d.Shared, time.Now())
			row := deviceRow{Schema: "vitalog.device/v1", Device: d.Device, Section: g.Section, State: g.State, Records: d.Records, Last: d.Last, Log: d.Log.String(), Entry: d.Entry, Block: d.Block}
			last := "never"
			if d.Records > 0 {
				last = stamp(d.Last)
			}
			if err := rows.add(row, row.Device, row.Section, row.State, fmt.Sprint(row.Records), last); err != nil {
				return err
			}
		}
		return rows.end("no device writes for you")
	})
	return c
}

func (p *program) deviceRemoveCommand() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "remove NAME",
		Short: "Let a device write no more, as the patient",
		Long: `Ends the device's grant: the validators refuse what its key writes from the next block on. What it wrote stays in the record. Its name
can't be used again.`,
		Example: "  vitalog device remove wristband --app ~/my-health --yes",
		Args:    cobra.ExactArgs(1),
	}
	p.appFlag(c)
	c.Flags().BoolVar(&yes, "yes", false, "don't ask")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.asPatient(func(ctx context.Context, a *app, args []string) error {
		which := func(g exchange.Shared) bool { return g.Member < 0 && g.Device == args[0] }
		list, err := a.Sharing(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(list, func(g exchange.Shared) bool { return which(g) && !g.Revoked }) {
			return advise(fmt.Errorf("no device %s writes for you", args[0]), "vitalog device list --app %s", p.app)
		}
		if err := p.confirm(yes, fmt.Sprintf("Your device %s may write no more, at once.", args[0])); err != nil {
			return err
		}
		done, err := a.Stop(ctx, which)
		if err != nil {
			return err
		}
		return a.final(ctx, "vitalog.device/v1", done)
	})
	return c
}
