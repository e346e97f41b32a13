package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"vitalog/cloud"
	"vitalog/node"
)

func (p *program) storageCommand() *cobra.Command {
	return group("storage", "Where ciphertext lies, and how it is looked after", "  vitalog storage status\n  vitalog storage status --check\n  vitalog storage scrub",
		p.storageStatusCommand(),
		p.storageWorkCommand(node.StorageFlush, "Pack what is fresh into the bucket now", "What is fresh is packed by itself every ten minutes, or when there are 8 MiB of it. This does it now."),
		p.storageWorkCommand(node.StorageScrub, "Read every pack and compare it", `Packs are read and compared all the time, slowly. This reads each of them now. What is damaged is fetched from other members, and it waits until
that is here.`),
		p.storageWorkCommand(node.StorageRepair, "Bring back what the bucket lost", `Lists the bucket, fetches from other members what it lost, and takes what was deleted out of its packs. All of it happens by itself; this does it now
and waits until it is done.`),
		p.storageWorkCommand(node.StorageReindex, "Tell from the bucket alone what lies where", `Forgets where things lie in the bucket and reads that from every pack anew: after the member's data/ was lost or restored from a backup.`),
		p.storageBenchCommand())
}

// openBucket is the bucket of a member that runs in this program.
func openBucket(ctx context.Context, url string) (*cloud.Bucket, error) {
	return cloud.Open(ctx, url, cloud.Options{})
}

func (p *program) storageWorkCommand(what, short, long string) *cobra.Command {
	c := &cobra.Command{
		Use: what, Short: short, Long: long, Args: cobra.NoArgs,
		Example: fmt.Sprintf("  vitalog storage %[1]s\n  vitalog storage %[1]s --as riverside-lab --json", what),
	}
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.long(func(ctx context.Context, _ []string) error {
		m, err := p.member()
		if err != nil {
			return err
		}
		var last *node.StorageLine
		bar := p.progress()
		err = eachLine(ctx, m, "storage?do="+what, nil, func(l *node.StorageLine) error {
			switch {
			case l.Error != "":
				return errors.New(l.Error)
			case l.Done:
				last = l
			case l.Left > 0:
				bar.show("%s still to be fetched from other members", count(l.Left, "sealed item"))
			default:
				bar.show("%.1f of %.1f MB read", float64(l.Read)/1e6, float64(l.Of)/1e6)
			}
			if p.json {
				return p.line(l)
			}
			return nil
		})
		bar.done()
		switch {
		case err != nil:
			return err
		case last == nil:
			return fmt.Errorf("%s: %w: it ended before it was done", m.config.Name, errAway)
		case p.json:
		case last.Found != nil:
			f := last.Found
			p.print("%s in the bucket; %d lost, %d taken in, %d deleted, %d that are somebody else's; nothing is missing", count(f.Packs, "pack"), f.Lost, f.Adopted, f.Deleted, f.Foreign)
		case what == node.StorageFlush:
			p.print("%s made", count(last.Packed, "pack"))
		default:
			p.print("every pack was read; nothing is missing")
		}
		return nil
	})
	return c
}
