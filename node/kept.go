package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"vitalog/exchange"
)

// Kept is one copy that the member keeps as its author, of a record that the patient destroyed.
type Kept struct {
	Schema  string    `json:"schema"`
	Copy    string    `json:"copy"`    // its name at this member
	Patient string    `json:"patient"` // the chart's id
	Section string    `json:"section"`
	Log     string    `json:"log"`
	Entry   uint64    `json:"entry"`
	At      time.Time `json:"at"`    // when it was recorded
	Until   time.Time `json:"until"` // the first moment no more
}

func keptOf(c exchange.KeptCopy) Kept {
	return Kept{Schema: "vitalog.kept/v1", Copy: c.Name, Patient: c.Chart, Section: c.Section.String(), Log: c.Log.String(), Entry: c.Entry, At: c.At, Until: c.Until}
}

// Kept lists the member's author copies.
func (n *Node) Kept() []Kept {
	out := []Kept{}
	for _, c := range n.Member.KeptCopies() {
		out = append(out, keptOf(c))
	}
	return out
}

// KeptOrder asks for an author copy to be opened, in the name of somebody whom the patient gets to see.
type KeptOrder struct {
	Copy  string         `json:"copy"`
	Asker exchange.Asker `json:"asker"`
	Bytes bool           `json:"bytes,omitempty"` // those of an attachment, instead of the resources
}

// KeptOpened is an author copy that was opened.
type KeptOpened struct {
	Kept
	Block     uint64            `json:"block"`  // of the access
	Access    uint64            `json:"access"` // its entry in the patient's log
	Author    string            `json:"author"` // who wrote it at this member
	Resources []json.RawMessage `json:"resources"`
	Bytes     int64             `json:"bytes,omitempty"` // of an attachment
}

// openKept answers with resources, or with the bytes of an attachment.
func (n *Node) openKept(w http.ResponseWriter, r *http.Request) {
	var o KeptOrder
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c, err := n.Member.OpenCopy(r.Context(), o.Asker, o.Copy)
	if err != nil {
		http.Error(w, err.Error(), statusOf(err))
		return
	}
	defer c.Close()
	if o.Bytes {
		n.sendKept(w, c)
		return
	}
	out := KeptOpened{Kept: keptOf(c.KeptCopy), Block: c.Row.Block, Access: c.Row.Entry, Author: c.Content.Author.Name, Resources: []json.RawMessage{}}
	if out.Author == "" {
		out.Author = c.Content.Author.Practitioner
	}
	out.Schema = "vitalog.kept-opened/v1"
	for _, it := range c.Content.Items {
		if len(it.Raw) > 0 {
			out.Resources = append(out.Resources, it.Raw)
		}
	}
	if c.Bytes != nil {
		out.Bytes = c.Bytes.Size()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the client is gone otherwise
}

func (n *Node) sendKept(w http.ResponseWriter, c *exchange.OpenedCopy) {
	if c.Bytes == nil {
		http.Error(w, fmt.Sprintf("%v: the copy is of resources, not of an attachment", exchange.ErrInvalid), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(c.Bytes.Size(), 10))
	if _, err := io.Copy(w, c.Bytes); err != nil && !errors.Is(err, context.Canceled) {
		n.log.Error("sending an author copy", "log", c.Log.String(), "entry", c.Entry, "err", err)
		panic(http.ErrAbortHandler) // so that the client sees that it was cut off
	}
}
