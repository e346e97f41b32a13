package blobstore_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vitalog/blobstore"
	"vitalog/cloud"
	"vitalog/cloud/drivers"
	"vitalog/internal/mortal"
	"vitalog/internal/s3"
	"vitalog/key"
	"vitalog/kv"
	"vitalog/pack"
	"vitalog/wire"
)

// victim tells a process of its own that it is to be killed: the directory of its store, the S3 server, the day, and the step at which it dies.
const victim = "VITALOG_STORE_VICTIM"

func TestMain(m *testing.M) {
	if os.Getenv(victim) == "" {
		os.Exit(m.Run())
	}
	if err := live(strings.SplitN(os.Getenv(victim), " ", 4)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Of a day: blobs of these sizes, each in a record of its own.
var ofADay = []int{100, 3000, 5000, 40_000}

// item is a record of a day, with its header in the first or second version.
func item(day, i, version int) blobstore.Record {
	fill := func(n int, kind byte) []byte {
		b := make([]byte, n)
		rand.NewChaCha8([32]byte{byte(day), byte(day >> 8), byte(i), kind}).Read(b)
		return b
	}
	return blobstore.Record{Own: true, Log: key.Log{byte(i)}, ID: key.Record{byte(day), byte(day >> 8), byte(i)}, Blob: fill(ofADay[i], 0), Header: fill(2000, byte(version))}
}

// live is one day of a store: what an earlier one acknowledged, which comes by standard input, must be there; what was cut goes on; then it puts, packs, puts again, destroys,
// expunges, lists and reads, has leave the disk what others hold, and prints what is acknowledged.
func live(args []string) error {
	dir, server := args[0], args[1]
	day, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	steps, err := mortal.New(args[3], os.Stdout)
	if err != nil {
		return err
	}
	address, err := steps.Before(server)
	if err != nil {
		return err
	}
	s, db, err := openKept(dir, address, steps.Disk())
	if err != nil {
		return err
	}
	ctx := context.Background()
	kept := bufio.NewScanner(os.Stdin)
	for kept.Scan() {
		if err := acknowledged(s, strings.Fields(kept.Text())); err != nil {
			return err
		}
	}
	armed := func(do func() error) error {
		steps.Arm(true)
		defer steps.Arm(false)
		return do()
	}
	put := func(i, version int) error {
		if err := s.PutRecords([]blobstore.Record{item(day, i, version)}); err != nil {
			return err
		}
		fmt.Println("put", day, i, version)
		return nil
	}
	flush := func() error { _, err := s.Flush(ctx); return err }
	sweep := func() error { _, err := s.Sweep(ctx); return err }
	scrub := func() error { _, err := s.Scrub(ctx); return err }
	expunge := func() error { return s.Expunge(ctx, time.Now().Add(time.Second)) }
	all := []func() error{sweep, flush, expunge} // what was cut goes on
	for i := range ofADay {
		all = append(all, func() error { return put(i, 1) })
	}
	all = append(all, func() error { return armed(flush) }, func() error { return put(1, 2) }, func() error { return armed(flush) },
		func() error {
			fmt.Println("destroying", day, 2) // from now on it may be gone
			r := item(day, 2, 1)
			err := armed(func() error { return s.Destroy([]blobstore.Destroyed{{Record: r, Hash: sha256.Sum256(r.Blob)}}) })
			if err == nil {
				fmt.Println("destroyed", day, 2)
			}
			return err
		},
		func() error { return armed(expunge) },
		func() error { return armed(sweep) },
		func() error { return armed(scrub) },
		func() error { elsewhere = blobstore.Held; return armed(s.Leave) },
		func() error { return errors.Join(s.Close(), db.Close()) })
	for _, do := range all {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// elsewhere is what others do about all records.
var elsewhere = blobstore.Scarce

// openKept opens the store with its bucket, which loses nothing, so that nothing may be told as lost.
func openKept(dir, server string, disk vfs.FS) (*blobstore.Store, *kv.DB, error) {
	drivers.Register()
	db, err := kv.OpenFS(disk, filepath.Join(dir, "db"))
	if err != nil {
		return nil, nil, err
	}
	s, err := blobstore.OpenFS(disk, filepath.Join(dir, "blobs"), db)
	if err != nil {
		return nil, nil, err
	}
	b, err := cloud.Open(context.Background(), "s3://records?endpoint=http://"+server, cloud.Options{Pause: time.Millisecond, Longest: 10 * time.Millisecond})
	if err != nil {
		return nil, nil, err
	}
	err = s.Attach(b, storageKey, func(blobs []wire.Hash, headers []blobstore.Record) error {
		return fmt.Errorf("%d blobs and %d headers are told as lost", len(blobs), len(headers))
	})
	s.StayUntil(func(of []blobstore.Record) ([]blobstore.Elsewhere, error) {
		return slices.Repeat([]blobstore.Elsewhere{elsewhere}, len(of)), nil
	})
	return s, db, err
}

// acknowledged holds a line that a day printed against the store.
func acknowledged(s *blobstore.Store, line []string) error {
	var n [3]int
	for i, word := range line[1:] {
		var err error
		if n[i], err = strconv.Atoi(word); err != nil {
			return err
		}
	}
	r := item(n[0], n[1], max(n[2], 1))
	blob, errBlob := s.Get(sha256.Sum256(r.Blob), huge)
	header, errHeader := s.Header(r.Log, r.ID)
	newer := item(n[0], n[1], 2).Header // it may have been put, and not acknowledged
	switch {
	case line[0] == "destroyed":
		if !errors.Is(errBlob, blobstore.ErrNotFound) || !errors.Is(errHeader, blobstore.ErrNotFound) {
			return fmt.Errorf("%v: got %v, %v", line, errBlob, errHeader)
		}
		return nil
	case errBlob != nil || errHeader != nil || !bytes.Equal(blob, r.Blob) || !bytes.Equal(header, r.Header) && !bytes.Equal(header, newer):
		return fmt.Errorf("%v: got %d and %d bytes, %v", line, len(blob), len(header), errors.Join(errBlob, errHeader))
	}
	return nil
}

// The process is killed at every step of a day, each before it happens and after; and goes on with the next day.
func TestAStoreThatIsKilledAtAnyStepOfAPackKeepsWhatItAcknowledged(t *testing.T) {
	s3.Machine(t)("member", "secret")
	server := s3.Start(t)
	server.Keys("member", "secret")
	objects := server.Bucket("records")
	dir := t.TempDir()
	var kept []string // what must be, by the last word about it
	killed := map[string]int{}
	days := 0
	day := func(at string) (ended bool) {
		days++
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), fmt.Sprint(victim, "=", dir, " ", server.Address, " ", days, " ", at))
		c.Stdin = strings.NewReader(strings.Join(kept[max(0, len(kept)-12):], "\n"))
		said := &strings.Builder{}
		c.Stderr = said
		out, err := c.Output()
		if err != nil && c.ProcessState.Exited() {
			t.Fatalf("day %d, to be killed at %q: %v\n%s%s", days, at, err, out, said)
		}
		for line := range strings.Lines(string(out)) {
			words := strings.Fields(line)
			if words[0] == "killed" {
				killed[strings.Join(words[1:], " ")]++
				continue
			}
			kept = slices.DeleteFunc(kept, func(k string) bool { return slices.Equal(strings.Fields(k)[1:3], words[1:3]) })
			if words[0] != "destroying" {
				kept = append(kept, strings.TrimSpace(line))
			}
		}
		return err == nil
	}
	for _, kind := range mortal.Kinds() {
		for nth := 1; !day(fmt.Sprint(nth, " ", kind)); nth++ {
		}
		if killed[kind] == 0 {
			t.Errorf("it was never killed at %q", kind)
		}
	}
	t.Logf("killed %v; %d things acknowledged", killed, len(kept))
	s, db, err := openKept(dir, server.Address, vfs.Default)
	if err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	elsewhere = blobstore.Held
	if err := s.Leave(); err != nil {
		t.Fatal(err)
	}
	if copies, err := os.ReadDir(filepath.Join(dir, "blobs", "waiting")); err != nil || len(copies) > 0 {
		t.Errorf("%d copies of packs stay on the disk: %v", len(copies), err)
	}
	if _, err := s.Repack(t.Context(), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	sweep(t, s)
	for _, line := range kept {
		if err := acknowledged(s, strings.Fields(line)); err != nil {
			t.Error(err)
		}
	}
	found := sweep(t, s)
	paths, err := filepath.Glob(filepath.Join(objects, "packs", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		table, err := storageKey.Open(raw)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		for _, x := range table.Items {
			for _, line := range kept {
				words := strings.Fields(line)
				day, _ := strconv.Atoi(words[1])
				i, _ := strconv.Atoi(words[2])
				if r := item(day, i, 1); words[0] == "destroyed" && (x.Kind == pack.Blob && x.Hash == sha256.Sum256(r.Blob) || x.Kind == pack.Header && x.Record == r.ID) {
					t.Errorf("%s is still in an object", line)
				}
			}
		}
	}
	if found.Packs != len(paths) || found.Lost+found.Adopted+found.Deleted+found.Foreign != 0 {
		t.Errorf("the bucket has %d objects and the store found %+v", len(paths), found)
	}
	shut(t, db, s)
}
