package exchange_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"vitalog/blobstore"
	"vitalog/cloud"
	"vitalog/cloud/drivers"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/internal/mortal"
	"vitalog/internal/testnet"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/kv"
	"vitalog/node"
	"vitalog/section"
	"vitalog/wire"
)

// victim tells a process of its own that it is the member that is to be killed: its directory, the chart, its life, and the step at which it dies.
const victim = "VITALOG_KILLED_MEMBER"

// brisk is a schedule by which a pack's whole way takes a second.
var brisk = blobstore.Schedule{Fresh: 100 * time.Millisecond, List: 250 * time.Millisecond, Destroyed: 20 * time.Millisecond, Expunge: 800 * time.Millisecond,
	Scrub: 1 << 40, Round: 250 * time.Millisecond, Pause: time.Millisecond, Again: 20 * time.Millisecond}

// draftOf is the record with an id, always the same. An image's ciphertext has a file of its own.
func draftOf(id string) (exchange.Draft, error) {
	text := fmt.Sprintf(`{"resourceType":"Observation","id":%q,"status":"final","code":{"text":"pulse"},"note":[{"text":%q}],"valueQuantity":{"value":60.0}}`, id, id)
	if strings.HasPrefix(id, "image") {
		data := make([]byte, 40<<10)
		rand.NewChaCha8(sha256.Sum256([]byte(id))).Read(data)
		text = fmt.Sprintf(`{"resourceType":"Binary","id":%q,"contentType":"image/png","data":%q}`, id, base64.StdEncoding.EncodeToString(data))
	}
	r, err := fhir.Parse([]byte(text))
	return exchange.Draft{Resource: r, ID: id, Section: section.Vitals, Group: id}, err
}

// live is one life of the member. What was acknowledged of late, which comes by standard input, must be there; then it writes, and prints what is acknowledged, while its
// store works by its schedule, and dies on the way, or comes to rest.
func live(args []string) error {
	dir, chart, life := args[0], args[1], args[2]
	steps, err := mortal.New(args[3], os.Stdout)
	if err != nil {
		return err
	}
	said := bufio.NewScanner(os.Stdin)
	o, err := onSteps(dir, steps)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	if err := holds(ctx, dir, o, said); err != nil {
		return fmt.Errorf("before it starts: %w", err)
	}
	steps.Arm(true)
	return node.Keep(ctx, dir, testnet.Passphrase(), o, func(n *node.Node) error {
		defer cancel()
		if err := n.WaitReady(ctx); err != nil {
			return err
		}
		if err := opens(ctx, n, chart, said); err != nil {
			return err
		}
		fmt.Println("ready")
		for _, kind := range []string{"pulse", "image", "pulse-too"} {
			id := kind + "-of-life-" + life
			d, err := draftOf(id)
			if err != nil {
				return err
			}
			at, err := n.Member.Publish(ctx, asker("TREAT"), chart, []exchange.Draft{d})
			if err != nil {
				return err
			}
			fmt.Println("wrote", id, at[0].Entry, at[0].Block)
		}
		if err := follows(ctx, n, said); err != nil { // by which a record is destroyed
			return err
		}
		ordered := n.Store.Ordered()
		if err := comes(ctx, func() bool { s := n.Store.Status(); return s.Fresh == 0 && s.Tainted == 0 && n.Store.Gone(ordered) }); err != nil {
			return fmt.Errorf("packing and destroying: %w", err)
		}
		since := time.Now()
		if err := comes(ctx, func() bool { s := n.Store.Status(); return s.Listed.After(since) && s.Scrubbed.After(since) }); err != nil {
			return fmt.Errorf("listing and reading: %w", err)
		}
		steps.Arm(false)
		for what, times := range steps.Passed() {
			fmt.Println("passed", times, what)
		}
		fmt.Println("whole")
		return nil
	})
}

// onSteps are the options of a member whose disk and bucket are those of steps.
func onSteps(dir string, steps *mortal.Steps) (o node.Options, err error) {
	drivers.Register()
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	o.Schedule = brisk
	if o.Ring, err = keyring.Open(filepath.Join(dir, node.KeyringFile), testnet.Passphrase()); err != nil {
		return o, err
	}
	o.Cloud = func(ctx context.Context, raw string) (*cloud.Bucket, error) {
		u, err := url.Parse(raw)
		if err != nil {
			return nil, err
		}
		server := u.Query().Get("endpoint")
		door, err := steps.Before(strings.TrimPrefix(server, "http://"))
		if err != nil {
			return nil, err
		}
		return impatient(ctx, strings.Replace(raw, server, "http://"+door, 1))
	}
	o.Open = func(data string) (*kv.DB, *blobstore.Store, error) {
		db, err := kv.OpenFS(steps.Disk(), filepath.Join(data, "db"))
		if err != nil {
			return nil, nil, err
		}
		s, err := blobstore.OpenFS(steps.Disk(), filepath.Join(data, "blobs"), db)
		return db, s, err
	}
	return o, nil
}

// holds looks into the store of a member that doesn't run. Whatever the others have, what it acknowledged must be there: log, record and hash come line by line.
func holds(ctx context.Context, dir string, o node.Options, said *bufio.Scanner) error {
	config, err := node.Load(dir)
	if err != nil {
		return err
	}
	db, s, err := o.Open(filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	defer db.Close()
	bucket, err := o.Cloud(ctx, config.Bucket)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	defer s.Close()
	if err := s.Attach(bucket, o.Ring.Storage(), nil); err != nil {
		return err
	}
	for said.Scan() && said.Text() != "" {
		var log, id, hash []byte
		if _, err := fmt.Sscanf(said.Text(), "%x %x %x", &log, &id, &hash); err != nil {
			return err
		}
		_, errBlob := s.Get(wire.Hash(hash), 1<<20)
		_, errHeader := s.Header(key.Log(log), key.Record(id))
		if err := errors.Join(errBlob, errHeader); err != nil {
			return fmt.Errorf("record %x, which was acknowledged: %w", id, err)
		}
	}
	return said.Err()
}

// follows waits for a block, whose number comes as a line.
func follows(ctx context.Context, n *node.Node, said *bufio.Scanner) error {
	if !said.Scan() {
		return errors.Join(errors.New("no block is named"), said.Err())
	}
	block, err := strconv.ParseUint(said.Text(), 10, 64)
	if err != nil {
		return err
	}
	return n.Member.Followed(ctx, block)
}

// opens wants records to open as they were written. Their ids and entries come line by line, and then the block up to which they are.
func opens(ctx context.Context, n *node.Node, chart string, said *bufio.Scanner) error {
	want := exchange.Want{Sections: vitals.Sections}
	var drafts []exchange.Draft
	for said.Scan() && said.Text() != "" {
		id, number, _ := strings.Cut(said.Text(), " ")
		entry, err := strconv.ParseUint(number, 10, 64)
		d, errDraft := draftOf(id)
		if err := errors.Join(err, errDraft); err != nil {
			return err
		}
		drafts, want.Entries = append(drafts, d), append(want.Entries, entry)
	}
	slices.Sort(want.Entries)
	if err := follows(ctx, n, said); err != nil {
		return err
	}
	opened, err := n.Member.Open(ctx, asker("TREAT"), chart, want)
	if err != nil {
		return err
	}
	defer opened.Close()
	return errors.Join(append(opened.Errors, right(opened, drafts))...)
}

// comes waits for what the store does by its schedule.
func comes(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
