package subscription

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// An endpoint's answer is read so far, and no further; what it says is not looked at.
const maxAnswer = 64 << 10

const defaultTimeout = 10 * time.Second

// allowed tells whether notifications may go to an address: it lies below one that the operator listed, and is HTTPS, or HTTP to this machine.
func allowed(list []string, endpoint string) error {
	const at = "Subscription.channel.endpoint"
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" || strings.ContainsFunc(endpoint, notPrintable):
		return wrong(at, "is no address that a notification can go to: https://host/path, without user or fragment")
	case u.Scheme == "https":
	case u.Scheme == "http" && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1"):
	default:
		return wrong(at, "is not HTTPS")
	}
	path := u.EscapedPath()
	for _, part := range strings.Split(strings.ToLower(path), "/") {
		if part == "." || part == ".." || strings.Contains(part, "%2e") || strings.Contains(part, "%2f") {
			return wrong(at, "has a path that leads elsewhere than it says")
		}
	}
	for _, l := range list {
		p, err := url.Parse(l)
		if err != nil || p.Scheme != u.Scheme || !strings.EqualFold(p.Host, u.Host) {
			continue
		}
		if below := strings.TrimSuffix(p.EscapedPath(), "/"); path == below || strings.HasPrefix(path, below+"/") || below == "" {
			return nil
		}
	}
	return wrong(at, "is not among those that this member sends to; ask its operator to list it (subscription_endpoints)")
}

// newClient is the client for all endpoints: no redirects, no proxy of the environment, no cookies.
func newClient() *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{Proxy: nil, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: defaultTimeout,
			ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxAnswer},
	}
}

// errGone says that the endpoint wants no more.
var errGone = errors.New("the endpoint answered 410: it wants no more notifications")

// post sends one notification. Its errors are words for the subscriber, without address, header or body.
func (b *Book) post(ctx context.Context, t *terms, body []byte) error {
	if err := allowed(b.Endpoints, t.Endpoint); err != nil {
		return errors.New("the endpoint is not among those that this member sends to any more")
	}
	select {
	case b.sending <- struct{}{}:
		defer func() { <-b.sending }()
	case <-ctx.Done():
		return ctx.Err()
	}
	limit := defaultTimeout
	if t.Timeout > 0 {
		limit = time.Duration(t.Timeout) * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.Endpoint, bytes.NewReader(body))
	if err != nil {
		return errors.New("the endpoint's address can't be used")
	}
	r.Header = t.header()
	resp, err := b.client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("the endpoint did not answer within %v", limit)
		}
		return errors.New("the endpoint can't be reached, or its certificate is not trusted")
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
	switch {
	case resp.StatusCode == http.StatusGone:
		return errGone
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return fmt.Errorf("the endpoint answered %d: redirects are not followed", resp.StatusCode)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return fmt.Errorf("the endpoint answered %d", resp.StatusCode)
	}
	return nil
}
