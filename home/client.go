package home

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"vitalog/envelope"
	"vitalog/exchange"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/receipt"
	"vitalog/wire"
)

// Client is a connection to a home member. It is an exchange.Home.
type Client struct {
	base    string
	http    *http.Client
	genesis *op.Genesis
	network key.Network
	issuer  int
}

// Dial connects to the member whose service stands at base, for instance http://localhost:8080. genesis is the patient's own copy: it is
// what all answers are checked against.
func Dial(base string, genesis *op.Genesis, issuer int, c *http.Client) *Client {
	return &Client{base: strings.TrimSuffix(base, "/") + Prefix, http: c, genesis: genesis, network: genesis.Network(), issuer: issuer}
}

// ErrUnreachable says that the home member did not answer.
var ErrUnreachable = errors.New("the home member does not answer")

// ErrBusy says that the home member has done enough for everybody in this minute.
var ErrBusy = errors.New("the home member is asked for too much at the moment: try again in a minute, or go to another member")

func (c *Client) call(ctx context.Context, name string, body []byte) ([]byte, error) {
	resp, err := c.ask(ctx, name, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	case len(answer) > maxBody:
		return nil, fmt.Errorf("answer to %s: %w", name, wire.ErrOversized)
	}
	return answer, nil
}

// ask makes a call, and gives its answer if all is well.
func (c *Client) ask(ctx context.Context, name string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+name, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, maxDetail))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	switch resp.StatusCode {
	case http.StatusNotFound:
		return nil, exchange.ErrNotShared
	case http.StatusConflict:
		return nil, exchange.ErrConflict
	case http.StatusTooManyRequests:
		return nil, ErrBusy
	case http.StatusBadRequest:
		return nil, fmt.Errorf("%w: %s", exchange.ErrInvalid, bytes.TrimSpace(said))
	}
	return nil, fmt.Errorf("%w: %s: %s", ErrUnreachable, resp.Status, bytes.TrimSpace(said))
}

// Genesis is the patient's own copy.
func (c *Client) Genesis() *op.Genesis { return c.genesis }

// Issuer is the home member's number.
func (c *Client) Issuer() int { return c.issuer }

// Submit puts operations on the ledger.
func (c *Client) Submit(ctx context.Context, ops ...*op.Operation) ([]ledger.Result, error) {
	answer, err := c.call(ctx, "submit", encodeOperations(c.network, ops))
	if err != nil {
		return nil, err
	}
	results, err := decodeResults(answer)
	if err == nil && len(results) != len(ops) {
		err = fmt.Errorf("%d results for %d operations: %w", len(results), len(ops), wire.ErrTruncated)
	}
	return results, err
}

// Head is the state of a log as the home member tells it; a receipt proves it.
func (c *Client) Head(ctx context.Context, log key.Log) (*op.Head, error) {
	answer, err := c.call(ctx, "head", log[:])
	if err != nil {
		return nil, err
	}
	h, err := op.DecodeHead(answer)
	if err == nil && h.Log != log {
		err = fmt.Errorf("the home member answered with another log than %v", log)
	}
	return h, err
}

// Entries reads entries in pages.
func (c *Client) Entries(ctx context.Context, log key.Log, from, to uint64) ([]exchange.Placed, error) {
	var out []exchange.Placed
	for from < to {
		body := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(bytes.Clone(log[:]), from), to)
		answer, err := c.call(ctx, "entries", body)
		if err != nil {
			return nil, err
		}
		page, err := decodeEntries(log, from, answer)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		out = append(out, page...)
		from += uint64(len(page))
	}
	return out, nil
}

// Receipt gets the proof of an entry.
func (c *Client) Receipt(ctx context.Context, log key.Log, number uint64) (*receipt.Receipt, error) {
	answer, err := c.call(ctx, "receipt", binary.BigEndian.AppendUint64(bytes.Clone(log[:]), number))
	if err != nil {
		return nil, err
	}
	return receipt.Decode(answer)
}

// Certificate gets the proof of orders to destroy, and of what members have said since.
func (c *Client) Certificate(ctx context.Context, orders ...exchange.Ordered) (*receipt.Certificate, error) {
	answer, err := c.call(ctx, "certificate", encodeOrders(orders))
	if err != nil {
		return nil, err
	}
	return receipt.DecodeCertificate(answer)
}

// NetworkKey is the newest generation, as the home member tells it.
func (c *Client) NetworkKey(ctx context.Context) (newest *op.NetworkKey, before wire.Hash, err error) {
	answer, err := c.call(ctx, "network-key", nil)
	if err != nil {
		return nil, before, err
	}
	if len(answer) < len(before) {
		return nil, before, fmt.Errorf("network key: %w", wire.ErrTruncated)
	}
	newest, err = op.DecodeNetworkKey(answer[len(before):])
	return newest, wire.Hash(answer[:len(before)]), err
}

// PutBlob leaves bytes at the home member.
func (c *Client) PutBlob(ctx context.Context, b []byte) (wire.Hash, error) {
	answer, err := c.call(ctx, "put-blob", b)
	if err != nil {
		return wire.Hash{}, err
	}
	want := hash(b)
	if len(answer) != 32 || wire.Hash(answer) != want {
		return wire.Hash{}, fmt.Errorf("the home member stored other bytes than those of %v", want)
	}
	return want, nil
}

// Blob gets bytes by their hash and checks them.
func (c *Client) Blob(ctx context.Context, h wire.Hash) ([]byte, error) {
	b, err := c.call(ctx, "blob", h[:])
	if err == nil && hash(b) != h {
		return nil, fmt.Errorf("the home member answered with other bytes than those of %v", h)
	}
	return b, err
}

// Part gets some of a blob, from at on. It is not checked: whoever opens what is in it does.
func (c *Client) Part(ctx context.Context, h wire.Hash, at uint64) ([]byte, error) {
	return c.call(ctx, "part", append(h[:], wire.U64(at)...))
}

// PutRecords leaves records at the home member.
func (c *Client) PutRecords(ctx context.Context, records []exchange.Sealed) error {
	for _, r := range records {
		var w wire.Writer
		w.Bytes(r.Header.Encode())
		w.Fixed(r.Blob)
		if _, err := c.call(ctx, "put-record", w.Done()); err != nil {
			return err
		}
	}
	return nil
}

// Header gets a header; whoever asks checks it against the entry.
func (c *Client) Header(ctx context.Context, log key.Log, record key.Record) (*envelope.Header, error) {
	answer, err := c.call(ctx, "header", append(bytes.Clone(log[:]), record[:]...))
	if err != nil {
		return nil, err
	}
	return envelope.DecodeHeader(answer)
}

// Ticket has an admission ticket signed.
func (c *Client) Ticket(ctx context.Context, blinded []byte) ([]byte, error) {
	answer, err := c.call(ctx, "ticket", blinded)
	if err != nil {
		return nil, err
	}
	r := wire.NewReader(answer)
	issuer, sig := int(r.U16()), r.Bytes(1024)
	if err := r.End(); err != nil {
		return nil, err
	}
	if issuer != c.issuer {
		return nil, fmt.Errorf("ticket of member %d, want %d: %w", issuer, c.issuer, exchange.ErrInvalid)
	}
	return sig, nil
}

// Introduce gets a member's grantee key; whoever asks checks the signature.
func (c *Client) Introduce(ctx context.Context, member int, log key.Log, purpose string) (*grant.Introduction, error) {
	var w wire.Writer
	w.U16(uint16(member))
	w.Fixed(log[:])
	w.Bytes([]byte(purpose))
	answer, err := c.call(ctx, "introduce", w.Done())
	if err != nil {
		return nil, err
	}
	return grant.DecodeIntroduction(answer)
}

// Claim has a custodian answer a claim.
func (c *Client) Claim(ctx context.Context, member int, sealed []byte) ([]byte, error) {
	return c.call(ctx, "claim", append(binary.BigEndian.AppendUint16(nil, uint16(member)), sealed...))
}

// OwnerLocks has a member make owner locks; whoever asks holds them against the headers.
func (c *Client) OwnerLocks(ctx context.Context, member int, asked []byte) ([]byte, error) {
	return c.call(ctx, "owner-locks", append(binary.BigEndian.AppendUint16(nil, uint16(member)), asked...))
}

// Release asks a holder of the network key for its parts; they are sealed to the session's key.
func (c *Client) Release(ctx context.Context, member int, request []byte) ([]byte, error) {
	return c.call(ctx, "release", append(binary.BigEndian.AppendUint16(nil, uint16(member)), request...))
}

func hash(b []byte) wire.Hash { return sha256.Sum256(b) }
