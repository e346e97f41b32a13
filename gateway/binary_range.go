package gateway

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// content is what is said of bytes in the header.
type content struct {
	kind     string
	version  string
	modified time.Time
	patient  string
}

// sendBytes answers with bytes, or with the one range that is asked for (RFC 9110, section 14). What is cut off in the middle ends the
// connection, so that nobody takes it for the whole.
func (g *gateway) sendBytes(w http.ResponseWriter, r *http.Request, c content, bytes io.ReaderAt, size int64) error {
	tag := `"` + c.version + `"` // strong: the bytes of a version never change
	from, to, status := int64(0), size, http.StatusOK
	if given := r.Header.Get("If-Range"); given == "" || given == tag {
		from, to, status = byteRange(r.Header.Get("Range"), size)
	}
	h := w.Header()
	if status == http.StatusRequestedRangeNotSatisfiable {
		h.Set("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
		return &problem{status: status, code: "value", text: "The range begins behind the end of the Binary. Content-Range says how long it is."}
	}
	src := io.NewSectionReader(bytes, from, to-from)
	first := make([]byte, min(steadyBytes, to-from))
	if _, err := io.ReadFull(src, first); err != nil { // before anything is promised
		return damaged(err)
	}
	header(w)
	h.Set("Content-Type", c.kind)
	h.Set("Content-Disposition", "attachment") // no page of somebody's making is shown under this address
	h.Set("X-Security-Context", "Patient/"+c.patient)
	h.Set("Accept-Ranges", "bytes")
	h.Set("ETag", tag)
	h.Set("Last-Modified", c.modified.UTC().Format(http.TimeFormat))
	h.Set("Content-Length", strconv.FormatInt(to-from, 10))
	if status == http.StatusPartialContent {
		h.Set("Content-Range", "bytes "+strconv.FormatInt(from, 10)+"-"+strconv.FormatInt(to-1, 10)+"/"+strconv.FormatInt(size, 10))
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead || from == to {
		return nil
	}
	if _, err := w.Write(first); err != nil {
		return nil // a client that has gone hears nothing
	}
	line := &steady{r: src, rc: http.NewResponseController(w)}
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, line, first); err != nil {
		g.Log.Error("a Binary was cut off", "request", h.Get("X-Request-Id"), "sent", line.done, "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// byteRange reads a Range header: one range of bytes, half-open. What is no such header, and what asks for several ranges, asks for everything.
func byteRange(header string, size int64) (from, to int64, status int) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	if !ok || !dash {
		return 0, size, http.StatusOK
	}
	a, errA := place(first)
	b, errB := place(last)
	switch {
	case first == "" && errB == nil: // the last b bytes
		from, to = max(size-b, 0), size
		if b == 0 {
			return 0, 0, http.StatusRequestedRangeNotSatisfiable
		}
	case errA == nil && last == "":
		from, to = a, size
	case errA == nil && errB == nil && a <= b:
		from, to = a, min(b, size-1)+1
	default:
		return 0, size, http.StatusOK
	}
	if from >= size {
		return 0, 0, http.StatusRequestedRangeNotSatisfiable
	}
	return from, to, http.StatusPartialContent
}

// place reads digits and nothing else.
func place(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 62)
	return int64(n), err
}
