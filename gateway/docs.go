package gateway

import (
	"net/http"
	"sync"

	"vitalog/manual"
	"vitalog/subscription"
)

// docs answers with the manual, which is rendered when it is first asked for.
func (g *gateway) docs() http.HandlerFunc {
	pages := sync.OnceValues(func() (http.Handler, error) {
		c := manual.Config{Member: g.Member.Name(), Base: g.Base, Statement: g.metadata}
		for _, t := range subscription.Topics {
			c.Topics = append(c.Topics, manual.Topic{URL: t.URL, Title: t.Title, Description: t.Description})
		}
		return manual.New(c)
	})
	return func(w http.ResponseWriter, r *http.Request) {
		h, err := pages()
		if err != nil {
			g.fail(w, r, err)
			return
		}
		h.ServeHTTP(w, r)
	}
}
