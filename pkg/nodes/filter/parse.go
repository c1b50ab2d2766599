package filter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"aws-provider-executor/pkg/wildcard"
)

// Options say how a text is read.
type Options struct {
	// BareTags has a key that is no field be that of a tag. Without it such a key is refused.
	BareTags bool
}

// empty stands for the empty text as a value.
const empty = `""`

// Parse reads a filter: conditions as KEY=VALUE,VALUE or !KEY=VALUE, separated by commas or in
// texts of their own. A piece without = is one more value of the condition before. A backslash
// takes the character after it literally. All faults are told at once.
func Parse(texts []string, o Options) (*Filter, error) {
	p := parser{options: o, filter: &Filter{}}
	for _, text := range texts {
		p.read(text)
	}
	for i := range p.filter.conditions {
		p.finish(&p.filter.conditions[i])
	}
	p.checkBoth()
	if err := errors.Join(p.faults...); err != nil {
		return nil, err
	}
	return p.filter, nil
}

type parser struct {
	options Options
	filter  *Filter
	faults  []error
}

func (p *parser) fault(format string, args ...any) {
	p.faults = append(p.faults, fmt.Errorf(format, args...))
}

// read takes the conditions of one text.
func (p *parser) read(text string) {
	if strings.TrimSpace(text) == "" {
		p.fault("a filter is empty: it would select everything; leave it out for that")
		return
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		p.fault("a filter is no UTF-8 text, or has a NUL in it")
		return
	}
	var current *Condition
	for _, piece := range split(text, ',') {
		parts := split(piece, '=')
		if len(parts) == 1 {
			if current == nil {
				p.fault("%q is no condition: write KEY=VALUE, or !KEY=VALUE to leave out", trim(piece))
				return
			}
			if value := trim(piece); strings.HasPrefix(value, "!") {
				p.fault("%q is a value that begins with !: leave values out as !KEY=VALUE, or write "+
					`\%s for the value itself`, value, value)
			}
			current.add(trim(piece))
			continue
		}
		if current = p.condition(trim(parts[0])); current == nil {
			// What follows belongs to a condition that is refused.
			current = &Condition{}
		}
		current.add(trim(strings.Join(parts[1:], "=")))
	}
}

// condition finds the condition of a key, or begins it; nil where the key is refused. The same key
// again adds values to an inclusion; an exclusion holds by itself anyhow.
func (p *parser) condition(key string) *Condition {
	name, exclude := strings.CutPrefix(key, "!")
	name = unescape(trim(name))
	field, ok := Lookup(name)
	read := ""
	switch {
	case ok && field.Name != name:
		read = name
	case !ok && name != "" && p.options.BareTags:
		field, read = Tag(name), name
	case !ok:
		p.fault("there is no field %q%s; a tag is asked for as tag:%s", name, Meant(name), name)
		return nil
	}
	all := p.filter.conditions
	i := slices.IndexFunc(all, func(c Condition) bool {
		return c.Field.Name == field.Name && c.Exclude == exclude
	})
	if i < 0 {
		p.filter.conditions = append(all, Condition{Field: field, Exclude: exclude, ReadAs: read})
		i = len(all)
	}
	return &p.filter.conditions[i]
}

// finish checks the values of a condition, and reads times.
func (p *parser) finish(c *Condition) {
	if slices.Contains(c.Patterns, "") {
		p.fault("%s has an empty value: it would select what nobody means; write %s for the empty "+
			"text", c.Field.Name, empty)
		return
	}
	if c.Field.Kind == Time {
		p.times(c)
		return
	}
	for i, v := range c.Patterns {
		switch {
		case v == empty:
			c.Patterns[i] = ""
		case c.Field.Words != nil:
			c.Patterns[i] = canonical(p.word(c.Field, v))
		default:
			c.Patterns[i] = canonical(v)
		}
	}
	slices.Sort(c.Patterns)
	c.Patterns = slices.Compact(c.Patterns)
}

// word checks a value of a field that has only a few. Case does not matter there.
func (p *parser) word(f Field, value string) string {
	value = strings.ToLower(value)
	if slices.ContainsFunc(f.Words, func(w string) bool { return wildcard.Filter.Match(value, w) }) {
		return value
	}
	p.fault("%s is never %q%s; it is one of %s", f.Name, value, MeantOf(value, f.Words),
		strings.Join(f.Words, ", "))
	return value
}

// times reads ranges: FROM..TO, or two times.
func (p *parser) times(c *Condition) {
	if len(c.Patterns) == 2 && !strings.Contains(c.Patterns[0]+c.Patterns[1], "..") {
		c.Patterns = []string{c.Patterns[0] + ".." + c.Patterns[1]}
	}
	for _, v := range c.Patterns {
		from, to, ok := strings.Cut(v, "..")
		r := Range{}
		var errs [2]error
		r.From, errs[0] = time.Parse(time.RFC3339, from)
		r.To, errs[1] = time.Parse(time.RFC3339, to)
		switch {
		case !ok || errs[0] != nil || errs[1] != nil:
			p.fault("%s is %q, want two times as 2026-01-31T00:00:00Z..2026-02-01T00:00:00Z",
				c.Field.Name, v)
		case r.To.Before(r.From):
			p.fault("%s is %q, and ends before it begins", c.Field.Name, v)
		default:
			c.Ranges = append(c.Ranges, r)
		}
	}
	c.Patterns = nil
}

// checkBoth refuses a field that is asked for and left out in one filter: which of the two is meant
// for a value of both is a guess.
func (p *parser) checkBoth() {
	for _, c := range p.filter.conditions {
		if !c.Exclude {
			continue
		}
		for _, other := range p.filter.conditions {
			if !other.Exclude && other.Field.Name == c.Field.Name {
				p.fault("%s is asked for and left out in one filter; say what is asked for alone",
					c.Field.Name)
			}
		}
	}
}

// canonical is the pattern that means the same, with no backslash but before what it changes.
func canonical(pattern string) string {
	var b strings.Builder
	for _, t := range wildcard.Filter.Tokens(pattern) {
		switch {
		case t.Kind == wildcard.Any:
			b.WriteByte('*')
		case t.Kind == wildcard.Optional:
			b.WriteByte('?')
		case strings.ContainsRune(`*?\`, t.Char):
			b.WriteString(`\` + string(t.Char))
		default:
			b.WriteRune(t.Char)
		}
	}
	return b.String()
}

func (c *Condition) add(value string) { c.Patterns = append(c.Patterns, value) }

// split cuts a text at a character that no backslash stands before. What is between stays as it is.
func split(text string, at byte) []string {
	var parts []string
	begin := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case at:
			parts = append(parts, text[begin:i])
			begin = i + 1
		}
	}
	return append(parts, text[begin:])
}

// trim takes blanks off, but the last one where a backslash stands before it.
func trim(text string) string {
	trimmed := strings.TrimRight(strings.TrimLeft(text, " \t"), " \t")
	backslashes := len(trimmed) - len(strings.TrimRight(trimmed, `\`))
	if backslashes%2 == 1 && strings.HasSuffix(text, " ") {
		trimmed += " "
	}
	return trimmed
}

// unescape takes the backslashes off that stand before a character.
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
