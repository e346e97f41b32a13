package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"vitalog/exchange"
)

// uploading sends a file as an upload that goes on where it broke: spec/uploads.md.
type uploading struct {
	moving
	m   *member
	who exchange.Asker
	f   *os.File

	there int64 // bytes that the member has for sure
}

// uploadPatience is how long an upload waits for a member that is away, since the last byte that it acknowledged.
const uploadPatience = 2 * time.Minute

// send sends all, and tells where it is as the answer to a POST does.
func (u *uploading) send(ctx context.Context, query string, begin http.Header) (http.Header, error) {
	begin.Set("Upload-Length", strconv.FormatInt(u.size, 10))
	resp, err := u.ask(ctx, http.MethodPost, "/fhir/$upload"+query, nil, begin)
	if err != nil {
		return nil, err
	}
	location, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		return nil, fmt.Errorf("the member's answer: %w", err)
	}
	moved := time.Now()
	for wait := time.Second; ; wait = min(2*wait, maxWait) {
		before := u.there
		done, err := u.sendOn(ctx, location.Path)
		if err == nil {
			return done, nil
		}
		if u.there > before {
			moved, wait = time.Now(), time.Second
		}
		var o *outcome
		again := errors.Is(err, errAway) || errors.As(err, &o) && o.Status == http.StatusConflict // by what an earlier line brought late
		if ctx.Err() != nil || !again || time.Since(moved)+wait > uploadPatience {
			return nil, err
		}
		u.progress.done()
		u.progress.show("waiting for the member or its network")
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// sendOn sends what the member doesn't have.
func (u *uploading) sendOn(ctx context.Context, path string) (http.Header, error) {
	resp, err := u.ask(ctx, http.MethodHead, path, nil, http.Header{})
	if err != nil {
		return nil, err
	}
	offset := resp.Header.Get("Upload-Offset")
	there, err := strconv.ParseInt(offset, 10, 64)
	if err != nil || there > u.size {
		return nil, fmt.Errorf("the member's answer: it has %q of %d bytes", offset, u.size)
	}
	u.there, u.done = there, there
	if there < u.size {
		u.r = io.NewSectionReader(u.f, u.done, u.size-u.done)
		if resp, err = u.ask(ctx, http.MethodPatch, path, &u.moving, http.Header{"Content-Type": {"application/offset+octet-stream"}, "Upload-Offset": {offset}}); err != nil {
			return nil, err
		}
	}
	at := resp.Header.Get("Content-Location")
	_, version, ok := strings.Cut(at, "/_history/")
	if !ok {
		return nil, fmt.Errorf("%w: the member has all, and doesn't tell where it is", errAway)
	}
	return http.Header{"Location": {at}, "Etag": {`W/"` + version + `"`}}, nil
}

func (u *uploading) ask(ctx context.Context, method, path string, body io.Reader, h http.Header) (*http.Response, error) {
	h.Set("Tus-Resumable", "1.0.0")
	resp, err := u.m.stream(ctx, u.who, method, path, body, h)
	if err != nil {
		return nil, err
	}
	return resp, resp.Body.Close()
}
