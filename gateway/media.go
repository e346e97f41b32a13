package gateway

import (
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// The gateway speaks FHIR R4 in JSON and nothing else.
const fhirVersion = "4.0"

// acceptable refuses a request that wants an answer in another form than JSON, by _format or else by Accept.
func acceptable(r *http.Request, query url.Values) error {
	if f, ok := query["_format"]; ok {
		for _, f := range f {
			if t := strings.ReplaceAll(f, " ", "+"); t != "json" && !speaks(t) { // a + that a client forgot to escape
				return notAcceptable
			}
		}
		return nil
	}
	accept := r.Header.Values("Accept")
	if len(accept) == 0 {
		return nil
	}
	for _, one := range strings.Split(strings.Join(accept, ","), ",") {
		if speaks(one) {
			return nil
		}
	}
	return notAcceptable
}

// speaks tells whether a media range takes FHIR R4 JSON.
func speaks(media string) bool {
	t, params, err := mime.ParseMediaType(strings.TrimSpace(media))
	if err != nil {
		return false
	}
	if q, given := params["q"]; given {
		if v, err := strconv.ParseFloat(q, 64); err != nil || v == 0 {
			return false
		}
	}
	if v, given := params["fhirversion"]; given && v != fhirVersion {
		return false
	}
	switch t {
	case "application/fhir+json", "application/json", "text/json", "application/*", "*/*":
		return true
	}
	return false
}

// patchMedia is the only form of patches.
const patchMedia = "application/json-patch+json"

// patches refuses a body that is no JSON Patch.
func patches(r *http.Request) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != patchMedia || r.Header.Get("Content-Encoding") != "" {
		return &problem{status: http.StatusUnsupportedMediaType, code: "not-supported",
			text: "This gateway takes patches as JSON Patch only: send Content-Type: " + patchMedia + ". FHIRPath Patch and XML Patch are left out."}
	}
	return nil
}

// readable refuses a body in another form than UTF-8 JSON.
func readable(r *http.Request) error {
	t, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, given := params["charset"]
	version, versioned := params["fhirversion"]
	switch {
	case err != nil, t != "application/fhir+json" && t != "application/json",
		given && !strings.EqualFold(charset, "utf-8"), versioned && version != fhirVersion, r.Header.Get("Content-Encoding") != "":
		return unsupportedMedia
	}
	return nil
}

var notAcceptable = &problem{status: http.StatusNotAcceptable, code: "not-supported",
	text: "This gateway answers in FHIR R4 JSON only. Send Accept: application/fhir+json."}

var unsupportedMedia = &problem{status: http.StatusUnsupportedMediaType, code: "not-supported",
	text: "This gateway reads FHIR R4 JSON only, not compressed. Send Content-Type: application/fhir+json."}
