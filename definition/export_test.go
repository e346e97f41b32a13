package definition

// Decoded is the table, read anew.
func Decoded() any { return decode(r4) }

// Form tells whether a value is one of a primitive type.
func Form(name, value string) bool { return forms[name].ok([]byte(value)) }
