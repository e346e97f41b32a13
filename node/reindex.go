package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"vitalog/consensus"
	"vitalog/exchange"
)

// ReindexOrder has the index across patients completed, in the name of somebody whom the patients get to see.
type ReindexOrder struct {
	Asker exchange.Asker `json:"asker"`
	Anew  bool           `json:"anew,omitempty"`
}

// ReindexLine is one line of the answer: how far it is, or at the end what was done. After an error no end comes.
type ReindexLine struct {
	Schema   string              `json:"schema"`
	Progress *exchange.Reindexed `json:"progress,omitempty"`
	Done     *exchange.Reindexed `json:"done,omitempty"`     // the last line
	Error    string              `json:"error,omitempty"`    // the last line too
	NoQuorum bool                `json:"noQuorum,omitempty"` // with Error
}

// reindex tells how far it is as it goes.
func (n *Node) reindex(w http.ResponseWriter, r *http.Request) {
	var o ReindexOrder
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&o)
	if err == nil && (o.Asker.Reason == "" || !slices.Contains(exchange.Purposes, o.Asker.Purpose)) {
		err = fmt.Errorf("a purpose out of %v and a reason are needed", exchange.Purposes)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	line := inLines(w)
	say := func(l ReindexLine) error {
		l.Schema = "vitalog.index/v1"
		return line(l)
	}
	told := time.Time{}
	done, err := n.Member.Reindex(r.Context(), o.Asker, o.Anew, func(k exchange.Reindexed) error {
		if time.Since(told) < progressEvery {
			return nil
		}
		told = time.Now()
		return say(ReindexLine{Progress: &k})
	})
	if err != nil {
		_ = say(ReindexLine{Error: err.Error(), NoQuorum: errors.Is(err, consensus.ErrNoQuorum)}) // the client is gone otherwise
		return
	}
	_ = say(ReindexLine{Done: &done})
}
