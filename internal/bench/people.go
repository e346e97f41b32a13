package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vitalog/synthetic"
)

// lived is the day to which the care of people who don't exist reaches.
var lived = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// madeUp is the whole care of one of them as a transaction.
func madeUp(seed uint64, number int) ([]byte, error) {
	return synthetic.Merge(synthetic.Person(seed, number, lived).Batches, func(synthetic.Source) bool { return true })
}

// bundleFiles are the bundles of a directory: those that others refer to, and one for each person. "" has none.
func bundleFiles(dir string) (first, rest []string, err error) {
	if dir == "" {
		return nil, nil, nil
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		if strings.HasPrefix(e.Name(), "0-") {
			first = append(first, path)
		} else {
			rest = append(rest, path)
		}
		return nil
	})
	return first, rest, err
}

// bundlesOf reads the bundles of a directory; without one it makes people up.
func bundlesOf(dir string) (first, rest [][]byte, err error) {
	early, late, err := bundleFiles(dir)
	if err != nil {
		return nil, nil, err
	}
	read := func(paths []string) (out [][]byte, err error) {
		for _, p := range paths {
			raw, err := os.ReadFile(p)
			if err != nil {
				return nil, err
			}
			out = append(out, raw)
		}
		return out, nil
	}
	if first, err = read(early); err != nil {
		return nil, nil, err
	}
	if rest, err = read(late); err != nil || dir != "" {
		return first, rest, err
	}
	for i := range importPeople {
		bundle, err := madeUp(1, i)
		if err != nil {
			return nil, nil, err
		}
		rest = append(rest, bundle)
	}
	return first, rest, nil
}

// arrival is somebody's bundle, and where it is from.
type arrival struct {
	from   string
	bundle []byte
}

// people are bundles without end: those of the files, then people who are made up from the seed.
func people(files []string, seed uint64) iter.Seq2[arrival, error] {
	return func(yield func(arrival, error) bool) {
		for _, f := range files {
			if raw, err := os.ReadFile(f); !yield(arrival{f, raw}, err) {
				return
			}
		}
		for i := 0; ; i++ {
			if raw, err := madeUp(seed, i); !yield(arrival{fmt.Sprintf("patient %d of seed %d", i, seed), raw}, err) {
				return
			}
		}
	}
}

// taken is what a transaction's answer says: where each resource is now.
func taken(body []byte) (locations []string, err error) {
	var b struct {
		Entry []struct{ Response struct{ Location string } }
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, err
	}
	for _, e := range b.Entry {
		locations = append(locations, e.Response.Location)
	}
	return locations, nil
}

// shown are the resources that an answer shows, as "Type/id".
func shown(base string, body []byte) (refs []string) {
	mark := []byte(`"fullUrl":"` + base + "/")
	for {
		i := bytes.Index(body, mark)
		if i < 0 {
			return refs
		}
		body = body[i+len(mark):]
		if end := bytes.IndexByte(body, '"'); end >= 0 {
			refs = append(refs, string(body[:end]))
		}
	}
}
