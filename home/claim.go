package home

import (
	"context"
	"net/http"

	"vitalog/wire"
)

// maxClaim is a number of a member and what is asked of it: a sealed claim, or a list of records (spec/claim.md).
const maxClaim = 8 << 10

// claim passes on what a patient who claims a chart asks of a member.
func (s *Server) claim(ask func(context.Context, int, []byte) ([]byte, error)) func(*http.Request, []byte) ([]byte, error) {
	return func(r *http.Request, body []byte) ([]byte, error) {
		rd := wire.NewReader(body)
		member := int(rd.U16())
		if rd.Err() != nil {
			return nil, invalid{rd.Err()}
		}
		if !s.claims.take(1) {
			return nil, errBusy
		}
		return ask(r.Context(), member, body[2:])
	}
}
