package fhir

// ParamType is how a search parameter of a type compares, as a code of FHIR's search-param-type: "token", "date" … It is "" if the type has
// no such parameter.
func ParamType(resourceType, name string) string {
	p, ok := lookup(resourceType, name)
	if !ok {
		return ""
	}
	switch p.kind {
	case token:
		return "token"
	case date:
		return "date"
	case reference:
		return "reference"
	case uri:
		return "uri"
	case number:
		return "number"
	case quantity:
		return "quantity"
	case composite:
		return "composite"
	}
	return "string"
}
