package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"

	"vitalog/exchange"
	"vitalog/node"
	"vitalog/pack"
	"vitalog/wire"
)

// kept is a ciphertext in the pharmacy's store, as whoever gets in there finds it: a file of its own, or a part of a pack in the bucket.
type kept struct {
	object string // its name, which ends in the SHA-256 of its bytes
	at     int    // where in it the ciphertext begins
	size   int    // of the ciphertext
	blob   wire.Hash
}

// objects is where the pharmacy keeps large ciphertexts that are in no bucket.
func (d *deeds) objects() string {
	return filepath.Join(d.w.Dir, "members", Pharmacy, "data", "blobs", "objects")
}

// load reads an object of the pharmacy's store.
func (d *deeds) load(ctx context.Context, object string) ([]byte, error) {
	if d.buckets != nil {
		return d.buckets[Number(Pharmacy)].Get(ctx, object, 0, -1)
	}
	return os.ReadFile(filepath.Join(d.objects(), filepath.FromSlash(object)))
}

// overwrite puts other bytes in an object's place, behind the pharmacy's back.
func (d *deeds) overwrite(ctx context.Context, object string, b []byte) error {
	if d.buckets != nil {
		return d.buckets[Number(Pharmacy)].Put(ctx, object, b)
	}
	return os.WriteFile(filepath.Join(d.objects(), filepath.FromSlash(object)), b, 0o600)
}

// find looks for one of some ciphertexts in the pharmacy's objects; nil: there is none. In a bucket it needs the pharmacy's own key.
func (d *deeds) find(ctx context.Context, one func(wire.Hash) bool) (*kept, error) {
	if d.buckets != nil {
		return d.findPacked(ctx, one)
	}
	var out *kept
	err := filepath.WalkDir(d.objects(), func(at string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		var h wire.Hash
		if h.UnmarshalText([]byte(e.Name())) != nil || !one(h) {
			return nil
		}
		i, err := e.Info()
		if err != nil {
			return err
		}
		out = &kept{object: e.Name()[:2] + "/" + e.Name(), size: int(i.Size()), blob: h}
		return fs.SkipAll
	})
	return out, err
}

// findPacked is find in the bucket, of ciphertexts that fill what the page shows.
func (d *deeds) findPacked(ctx context.Context, one func(wire.Hash) bool) (*kept, error) {
	ring, err := d.w.ring(Pharmacy)
	if err != nil {
		return nil, err
	}
	storage := ring.Storage()
	var out *kept
	err = d.buckets[Number(Pharmacy)].Each(ctx, "packs/", func(object string, _ int64) error {
		if out != nil {
			return nil
		}
		b, err := d.load(ctx, object)
		if errors.Is(err, fs.ErrNotExist) { // packed anew meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		t, err := storage.Open(b)
		if err != nil {
			return fmt.Errorf("%s: %w", object, err)
		}
		for _, x := range t.Items {
			if x.Kind == pack.Blob && x.Whole() && x.Size >= headSize && one(x.Hash) {
				out = &kept{object: object, at: pack.Head + int(x.At), size: int(x.Size), blob: x.Hash}
				break
			}
		}
		return nil
	})
	return out, err
}

// flush has members put into their buckets what is fresh.
func (d *deeds) flush(ctx context.Context, members ...string) error {
	if d.buckets == nil {
		return nil
	}
	for _, m := range members {
		if err := d.storage(ctx, m, node.StorageFlush); err != nil {
			return err
		}
	}
	return nil
}

// storage has a member look after its store, as its operator may.
func (d *deeds) storage(ctx context.Context, member, what string) error {
	staff, err := d.w.Staff(member, d.okafor.who)
	if err != nil {
		return err
	}
	a, err := staff.Operate(ctx, http.MethodPost, "storage?do="+what, nil)
	if err != nil {
		return err
	}
	for lines := json.NewDecoder(bytes.NewReader(a.Body)); ; {
		var l node.StorageLine
		if err := lines.Decode(&l); err != nil {
			return fmt.Errorf("%s: %s ended early: %w", member, what, err)
		}
		if l.Error != "" {
			return fmt.Errorf("%s: %s: %s", member, what, l.Error)
		}
		if l.Done {
			return nil
		}
	}
}

// flips turns one bit of a ciphertext over, in the pharmacy's store, and has the pharmacy look at everything that it keeps: exactly that record is named, and
// then healed. told hears nil when the bit is over, and the damage before it is healed.
func (d *deeds) flips(ctx context.Context, k *kept, at int, told func(*exchange.Damage)) (healed *exchange.Damage, whole exchange.Checked, err error) {
	b, err := d.load(ctx, k.object)
	if err != nil {
		return nil, whole, err
	}
	b[k.at+at] ^= 1
	if err := d.overwrite(ctx, k.object, b); err != nil {
		return nil, whole, err
	}
	copied := filepath.Join(filepath.Dir(d.objects()), "waiting", path.Base(k.object)) // which would heal the bucket, as long as others lack something of the pack
	if _, err := os.Stat(copied); err == nil {
		if err := os.WriteFile(copied, b, 0o600); err != nil {
			return nil, whole, err
		}
	}
	told(nil)
	named, err := d.finds(ctx, k.blob, false)
	if err != nil {
		return nil, whole, err
	}
	told(named)
	if healed, err = d.finds(ctx, k.blob, true); err != nil {
		return nil, whole, err
	}
	damaged, whole, err := d.verify(ctx, false)
	if err != nil {
		return nil, whole, err
	}
	if len(damaged) != 0 {
		return nil, whole, fmt.Errorf("after the healing %d are damaged", len(damaged))
	}
	return healed, whole, d.replaced(ctx, k.object)
}

// replaced holds that no altered object is left. A file has its bytes again; a pack that was altered is found out by its name, and what it has goes into another.
func (d *deeds) replaced(ctx context.Context, object string) error {
	all := []string{object}
	if d.buckets != nil {
		for _, what := range []string{node.StorageScrub, node.StorageFlush, node.StorageRepair} {
			if err := d.storage(ctx, Pharmacy, what); err != nil {
				return err
			}
		}
		all = nil
		err := d.buckets[Number(Pharmacy)].Each(ctx, "packs/", func(name string, _ int64) error {
			all = append(all, name)
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, name := range all {
		b, err := d.load(ctx, name)
		if err != nil {
			return err
		}
		if h := sha256.Sum256(b); hex.EncodeToString(h[:]) != path.Base(name) {
			return fmt.Errorf("after the healing %s has other bytes than its name says", name)
		}
	}
	return nil
}
