package section

import "slices"

// Where are the sections that resources of a type can be in, ascending: what a search over them has to open. None for the directory, for
// messages and for types that R4 doesn't have.
func Where(resourceType string) []Section {
	rule := table[resourceType]
	if rule.section == 0 {
		return nil
	}
	out := []Section{rule.section}
	if resourceType == "Patient" {
		return out
	}
	for _, rules := range []map[Coding]Section{rule.category, rule.code} {
		for _, s := range rules {
			out = append(out, s)
		}
	}
	for _, s := range sensitivity {
		out = append(out, s)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
