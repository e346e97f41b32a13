package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// document is one thing to be sent.
type document struct {
	name  string
	first bool // others refer to it
	read  func() ([]byte, error)
}

const importFirst = "0-"

// importDocuments lists what the arguments mean, what goes first at the front.
func (p *program) importDocuments(args []string) (out []document, err error) {
	bulk := &bulk{}
	for _, arg := range args {
		if arg == "-" {
			more, err := p.importStream(bulk)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
			continue
		}
		st, err := os.Stat(arg)
		if err != nil {
			return nil, err
		}
		paths := []string{arg}
		if st.IsDir() {
			if paths, err = importable(arg); err != nil {
				return nil, err
			}
		}
		for _, path := range paths {
			if isNDJSON(path) {
				more, err := bulk.file(path)
				if err != nil {
					return nil, err
				}
				out = append(out, more...)
				continue
			}
			out = append(out, document{name: path, first: strings.HasPrefix(filepath.Base(path), importFirst), read: func() ([]byte, error) { return readFile(path) }})
		}
	}
	out = append(out, bulk.documents()...)
	if len(out) == 0 {
		return nil, fmt.Errorf("nothing to import in %s: no .json or .ndjson file there", strings.Join(args, ", "))
	}
	slices.SortStableFunc(out, func(a, b document) int {
		if a.first && b.first {
			return cmp.Compare(filepath.Base(a.name), filepath.Base(b.name))
		}
		return cmp.Compare(rank(a), rank(b))
	})
	return out, nil
}

func rank(d document) int {
	if d.first {
		return 0
	}
	return 1
}

// importable lists the files of a directory that can be imported.
func importable(dir string) (out []string, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		plain := strings.TrimSuffix(strings.ToLower(path), ".gz")
		if err == nil && !e.IsDir() && (isNDJSON(path) || strings.HasSuffix(plain, ".json")) {
			out = append(out, path)
		}
		return err
	})
	return out, err
}

func isNDJSON(path string) bool {
	return strings.HasSuffix(strings.TrimSuffix(strings.ToLower(path), ".gz"), ".ndjson")
}

// readFile reads a file, which may be compressed.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !strings.EqualFold(filepath.Ext(path), ".gz") {
		return io.ReadAll(f)
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b, err := io.ReadAll(io.LimitReader(z, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// importStream takes the JSON documents of standard input apart. Single resources are put together as those of NDJSON files are, unless
// there is only one.
func (p *program) importStream(b *bulk) (out []document, err error) {
	d := json.NewDecoder(p.in)
	var single [][]byte
	for n := 1; ; n++ {
		var raw json.RawMessage
		if err := d.Decode(&raw); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("standard input, document %d: %w", n, err)
		}
		if isBundle(raw) {
			out = append(out, held(fmt.Sprintf("standard input, document %d", n), raw))
			continue
		}
		single = append(single, bytes.Clone(raw))
	}
	if len(single) == 1 && len(out) == 0 {
		return []document{held("standard input, document 1", single[0])}, nil
	}
	for n, raw := range single {
		out = append(out, b.take(line{from: "standard input", number: n + 1, raw: raw})...)
	}
	return out, nil
}

func held(name string, raw []byte) document {
	return document{name: name, read: func() ([]byte, error) { return raw, nil }}
}

func isBundle(raw []byte) bool {
	var r struct {
		ResourceType string `json:"resourceType"`
	}
	return json.Unmarshal(raw, &r) == nil && r.ResourceType == "Bundle"
}
