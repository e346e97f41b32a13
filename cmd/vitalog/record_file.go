package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"vitalog/exchange"
)

// attached is a file to become a Binary.
type attached struct {
	file, patient, kind, section string
}

func (a *attached) flags(c *cobra.Command) {
	c.Flags().StringVar(&a.file, "attach", "", "attach this file as it is; - is standard input")
	c.Flags().StringVar(&a.patient, "patient", "", "of --attach: chart id, or identifier system|value")
	c.Flags().StringVar(&a.kind, "content-type", "", "of --attach: its media type (default by the file's name)")
	c.Flags().StringVar(&a.section, "section", "", "of --attach: labs, mental-health … (default imaging, which has documents too)")
}

// attach sends a file through the member's gateway, which seals it as it comes.
func (p *program) attach(ctx context.Context, who exchange.Asker, a attached, wait awaiting) error {
	if err := checkAsker(who); err != nil {
		return err
	}
	if a.patient == "" {
		return misused("say whose file it is: --patient")
	}
	m, id, err := p.chartAt(ctx, who, a.patient)
	if err != nil {
		return err
	}
	query := ""
	if a.section != "" {
		query = "?section=" + url.QueryEscape(a.section)
	}
	h, src := http.Header{"X-Security-Context": {"Patient/" + id}}, io.Reader(p.in)
	if a.file != "-" {
		f, err := os.Open(a.file)
		if err != nil {
			return err
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return err
		}
		if st.Mode().IsRegular() && st.Size() > 0 {
			h.Set("Upload-Metadata", "filetype "+base64.StdEncoding.EncodeToString([]byte(a.mediaType())))
			u := &uploading{m: m, who: who, f: f, moving: moving{verb: "sent", size: st.Size(), progress: p.progress()}}
			at, err := u.send(ctx, query, h)
			u.progress.done()
			if err != nil {
				return err
			}
			return p.wrote(m.written(ctx, at, "", wait))
		}
		src = f // a pipe can't be read again
	}
	h.Set("Content-Type", a.mediaType())
	moved := &moving{r: src, verb: "sent", size: -1, progress: p.progress()}
	resp, err := m.stream(ctx, who, http.MethodPost, "/fhir/Binary"+query, moved, h)
	moved.progress.done()
	if err != nil {
		return err
	}
	resp.Body.Close()
	return p.wrote(m.written(ctx, resp.Header, "", wait))
}

func (a *attached) mediaType() string {
	ext := strings.ToLower(filepath.Ext(a.file))
	switch known := mime.TypeByExtension(ext); {
	case a.kind != "":
		return a.kind
	case ext == ".dcm" || ext == ".dicom":
		return "application/dicom"
	case known != "":
		return known
	}
	return "application/octet-stream"
}

// fetch writes the bytes of a Binary to a file.
func (p *program) fetch(ctx context.Context, who exchange.Asker, name, out, span string) error {
	id, ok := strings.CutPrefix(name, "Binary/")
	if !ok || id == "" {
		return misused("%q: --out is for a Binary, like Binary/77d0…", name)
	}
	if err := checkAsker(who); err != nil {
		return err
	}
	m, err := p.member()
	if err != nil {
		return err
	}
	h := http.Header{"Accept": {"*/*"}}
	if span != "" {
		h.Set("Range", "bytes="+span)
	}
	resp, err := m.stream(ctx, who, http.MethodGet, "/fhir/Binary/"+url.PathEscape(id), nil, h)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if span != "" && resp.StatusCode != http.StatusPartialContent {
		return misused("--range %q: want the first and the last byte, like 0-1048575, or only one of them", span)
	}
	moved := &moving{r: resp.Body, verb: "received", size: resp.ContentLength, progress: p.progress()}
	defer moved.progress.done()
	return p.toFile(moved, out)
}

// toFile writes what comes to a file, or with - to standard output. What is cut off in the middle leaves no file.
func (p *program) toFile(moved *moving, out string) error {
	if out == "-" {
		_, err := io.Copy(p.out, moved)
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(out), ".vitalog-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename it is not there
	if _, err = io.Copy(f, moved); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), out)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", out, err)
	}
	p.say("%d bytes in %s", moved.done, out)
	return nil
}

// moving tells on a terminal how far a file is.
type moving struct {
	r        io.Reader
	verb     string
	size     int64 // -1: not known
	done     int64
	progress *progress
}

func (m *moving) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	m.done += int64(n)
	if m.size > 0 {
		m.progress.show("%s %d of %d MB, %d %%", m.verb, m.done/1e6, m.size/1e6, 100*m.done/m.size)
	} else {
		m.progress.show("%s %d MB", m.verb, m.done/1e6)
	}
	return n, err
}
