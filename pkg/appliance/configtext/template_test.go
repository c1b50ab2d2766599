package configtext_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"text/template"

	"aws-provider-executor/pkg/appliance"
	"aws-provider-executor/pkg/appliance/configtext"
)

// gos is what text/template makes of a template, or an error.
func gos(text string, v configtext.Values) (string, error) {
	t, err := template.New("t.conf").Option("missingkey=error").Parse(text)
	if err != nil {
		return "", err
	}
	var all strings.Builder
	if err := t.Execute(&all, v); err != nil {
		return "", err
	}
	return all.String(), nil
}

// ours is what this package makes of it, without what comes before it.
func ours(text string, v configtext.Values) (string, error) {
	built, err := configtext.Render(nil, v, v.Secrets)
	if err != nil {
		return "", err
	}
	c, err := configtext.Render([]configtext.Template{{Name: "t.conf", Text: text}}, v, v.Secrets)
	if err != nil {
		return "", err
	}
	return strings.TrimPrefix(c.Text, built.Text), nil
}

func values() configtext.Values {
	return configtext.Of(order(), map[string]string{"note": "s3cret", "empty": ""})
}

// compare holds both against each other. What is not known here is refused, so an error of ours is
// none where the template has such a thing in it.
func compare(t *testing.T, text string, mayRefuse bool) {
	t.Helper()
	got, err := ours(text, values())
	want, wantErr := gos(text, values())
	if want != "" && !strings.HasSuffix(want, "\n") {
		want += "\n"
	}
	switch {
	case err == nil && wantErr != nil:
		t.Errorf("%s: text/template says %v", text, wantErr)
	case err == nil && got != want:
		t.Errorf("%s makes %q, want %q", text, got, want)
	case err != nil && wantErr == nil && !mayRefuse:
		t.Errorf("%s: %v, and text/template makes %q", text, err, want)
	}
}

// known are templates of all that is known here.
var known = []string{
	"", "a\n", "{{/* a */ -}} b {{- /* c */}}", `{{.}}`, `{{.Tunnels}}{{.Values}}{{.ProbePort}}`,
	`{{.Role}} {{$.Role}} {{(.).Role}} {{.Values.banner}} {{.Secrets.note}}`,
	`{{if .ProbePort}}a{{else}}b{{end}}{{if .Secrets.empty}}c{{else if .Tunnels}}d{{end}}`,
	`{{if false}}{{.Nothing}}{{end}}`, `{{.Nothing}}`, `{{.Values.nothing}}`, `{{.Role.nothing}}`,
	`{{.ProbePort.x}}`, `{{.Tunnels.Name}}`, `{{(index .Tunnels 0).Nothing}}`,
	`{{with .Values}}{{.hostname}}{{$.Role}}{{end}}`,
	`{{with .Secrets.empty}}a{{else}}{{.Role}}{{end}}`,
	`{{with .Secrets.empty}}a{{else with .Role}}{{.}}{{end}}`,
	`{{with $x := .Role}}{{$x}}{{.}}{{end}}`,
	`{{range .Tunnels}}{{.Name}} {{.Interface}} {{.Remote}} {{.Route}};{{else}}none{{end}}`,
	`{{range $i, $t := .Tunnels}}{{$i}}{{$t.Name}}{{.Name}}` +
		`{{$t}}{{end}}{{range $t := .Tunnels}}{{$t}}{{end}}`,
	`{{range .Values}}{{.}},{{end}}{{range $k, $v := .Values}}{{$k}}={{$v}},{{end}}`,
	`{{range 3}}{{.}}{{end}}{{range $i := 3}}{{$i}}` +
		`{{.}}{{end}}{{range 0}}a{{else}}{{.Role}}{{end}}`,
	`{{range $i, $j := 3}}{{end}}`, `{{range .Role}}{{end}}`, `{{range true}}{{end}}`,
	`{{range -1}}a{{else}}b{{end}}`, `{{range 3}}{{range 0}}{{else}}{{break}}{{end}}x{{end}}`,
	`{{range 3}}{{range $.Values}}{{break}}{{else}}{{continue}}{{end}}x{{end}}`,
	`{{range 3}}{{range 0}}{{else}}{{continue}}{{end}}x{{end}}`,
	`{{range .Tunnels}}{{break}}a{{end}}b{{range 3}}{{if eq . 1}}{{continue}}{{end}}{{.}}{{end}}`,
	`{{range 3}}{{with $x := .}}{{if eq $x 1}}{{break}}{{end}}{{end}}{{.}}{{end}}`,
	`{{$x := 1}}{{$x}}{{if true}}{{$x = 2}}{{$x := 3}}{{$x}}{{end}}{{$x}}`,
	`{{$i := 0}}{{$t := .}}{{range $i, $t = .Tunnels}}{{$i}}{{$t.Name}}{{end}}{{$i}}{{$t.Name}}`,
	`{{$t := .}}{{range $t = .Tunnels}}{{.Name}}{{end}}{{$t.Name}}`, `{{$x}}`, `{{$x = 1}}`,
	`{{$x := $x}}{{$x}}`, `{{if $x := $x}}{{end}}`, `{{range $i, $t := $i}}{{end}}`,
	`{{if $x := .Role}}{{$x}}{{end}}{{$x}}`, `{{with $x := 1}}{{$y := 2}}{{$x}}{{$y}}{{end}}`,
	`{{and}}`, `{{and 1 ""}}{{and 1 2}}{{and "" .Role.x}}{{or 0 "a"}}{{or "a" .Role.x}}{{or 0 ""}}`,
	`{{and 1 .Role.x}}`, `{{.Role | and 1}}{{.Role | or 1}}{{"" | or 0}}`,
	`{{not .Role}}{{not 0}}{{not 1 2}}`,
	`{{not .Role}} {{not .Secrets.empty}}`,
	`{{eq 1 1}}{{eq 1 2 1}}{{eq "a" "b"}}{{eq true true}}{{eq true false}}`,
	`{{eq 1 "1"}}`, `{{eq 1 1 "1"}}`, `{{eq 1}}`, `{{eq .Values .Values}}`,
	`{{eq .Role .Tunnels}}`, `{{eq}}`,
	`{{ne 1 2}}{{ne "a" "a"}}{{ne true false}}`, `{{ne 1 2 3}}`, `{{ne 1 true}}`,
	`{{.Role | eq "secondary"}}`,
	`{{lt 1 2}}{{le 2 2}}{{gt "b" "a"}}{{ge "a" "b"}}{{lt "a" "a"}}{{gt 1 2}}{{ge 2 2}}{{le 3 2}}`,
	`{{lt true false}}`, `{{lt 1 "a"}}`, `{{le true true}}`, `{{ge .Tunnels 1}}`, `{{lt 1}}`,
	`{{lt 1 2 3}}`,
	`{{len .Role}}{{len .Tunnels}}{{len .Values}}{{len "東"}}`, `{{len 1}}`, `{{len}}`,
	`{{.Role | len}}`,
	`{{index .Values "hostname"}}` +
		`{{index .Values "nothing"}}.{{(index .Tunnels 1).Name}}{{index .Tunnels}}`,
	`{{index .Tunnels 2}}`, `{{index .Tunnels -1}}`, `{{index .Tunnels "a"}}`,
	`{{index .Values 1}}`,
	`{{index .Tunnels 0 0}}`, `{{index 1 1}}`, `{{index}}`, `{{print 1 2 "a" "b" true}}{{print}}`,
	`{{println 1 "a"}}{{printf "%d-%s-%v" 8 .Role .Tunnels}}` +
		`{{printf "%q" .Role}}{{printf "%d" "a"}}`,
	`{{printf 1}}`, `{{printf}}`, `{{.Role | printf "%s:%s" "a"}}{{"a" | printf}}`,
	`{{print (print (len .Role))}}`,
	`{{define "a"}}{{.}}{{$}}{{end}}{{template "a" .Role}}{{template "a"}}`, `{{template "b"}}`,
	`{{define "a"}}{{$x}}{{end}}`, `{{block "a" .Tunnels}}{{range .}}{{.Name}}{{end}}{{end}}`,
	`{{define "a"}}{{if .}}{{len .}}{{template "a" ""}}{{end}}{{end}}{{template "a" .Role}}`,
	`{{define "a"}}{{range .}}{{template "b" .}}{{end}}{{end}}` +
		`{{define "b"}}{{.Name}}{{end}}{{template "a" .Tunnels}}`,
	`{{define "a"}}{{with .x}}{{end}}{{range .}}{{end}}{{end}}{{template "a"}}`, `{{break}}`,
	`{{if}}`, `{{end}}`,
	`{{`, `{{.Role`, `{{"a" "b"}}`, `{{1 | 2}}`,
	`{{010}}{{-3}}{{+3}}{{007}}`, "{{`raw`}}{{\"a\\tb\"}}",
	`{{template "a" .}}{{define "a"}}{{$.Role}}{{end}}`,
	`{{range .Tunnels}}{{$x := .Name}}{{$x}}{{end}}`,
	`{{with .Tunnels}}{{(index . 0).Name}}{{end}}`, `{{true}}{{false}}`,
	`{{.Tunnels | len | eq 2}}`,
	`{{((.Values).hostname)}}{{(index .Tunnels 0).Name | printf "%s"}}`, `{{len.x}}`, `{{print.x}}`,
	`{{range $i, $t := .Tunnels}}{{if $i}},{{end}}` +
		`{{range $t := $.Values}}{{$t}}{{end}}{{$t.Name}}{{end}}`,
}

// TestTemplatesAreGos: of all that is known here text/template makes the same, byte by byte, and
// what one refuses the other does.
func TestTemplatesAreGos(t *testing.T) {
	for _, text := range known {
		compare(t, text, false)
	}
}

// unknown are templates that text/template takes and this package refuses, each with its place.
var unknown = map[string]string{
	"a\n{{html .Role}}":                   `t.conf:2: function "html" not defined`,
	`{{js .Role}}`:                        `t.conf:1: function "js" not defined`,
	`{{urlquery .Role}}`:                  `t.conf:1: function "urlquery" not defined`,
	`{{slice .Role 1}}`:                   `t.conf:1: function "slice" not defined`,
	`{{if false}}{{call .Role}}{{end}}`:   `t.conf:1: function "call" not defined`,
	`{{if false}}{{1.5}}{{end}}`:          "t.conf:1:14: a number is a whole one, in decimal digits",
	`{{if false}}{{1e3}}{{end}}`:          "t.conf:1:14: a number is a whole one, in decimal digits",
	`{{0x10}}`:                            "t.conf:1:2: a number is a whole one, in decimal digits",
	`{{'a'}}`:                             "t.conf:1:2: a number is a whole one, in decimal digits",
	`{{2i}}`:                              "t.conf:1:2: a number is a whole one, in decimal digits",
	`{{if false}}{{print nil}}{{end}}`:    "t.conf:1:20: there is no nil",
	`{{if false}}{{.Role 1}}{{end}}`:      "t.conf:1:14: only a function takes values",
	`{{if false}}{{1 | .Role}}{{end}}`:    "t.conf:1:18: only a function takes values",
	`{{if false}}{{template "x"}}{{end}}`: `t.conf:1:23: there is no template "x"`,
	// What a value is shows when the template is executed.
	"\n{{index .Role 0}}":                                       "t.conf:2:14: it names what",
	`{{(index .Tunnels 0).Tunnel}}`:                             "t.conf:1:18: it names what",
	`{{eq (index .Tunnels 0) .Role}}`:                           "it names what is not there",
	`{{eq . .Role}}`:                                            "it names what is not there",
	`{{template "a"}}{{define "a"}}{{print .}}{{end}}`:          "t.conf:1:38: it names what",
	`{{template "a" 1}}{{define "a"}}{{template "a" .}}{{end}}`: "more than 100 times deep",
	// What would go on and on, or take all memory, though it writes nothing.
	"\n{{range 5000000000}}{{end}}":              "t.conf:2:8: it goes on for more than 4194304 steps",
	`{{range 9999}}{{range 9999}}{{end}}{{end}}`: "it goes on for more than 4194304 steps",
	`{{template "a" "x"}}{{define "a"}}{{if lt (len .) 60}}{{template "a" (print . "x")}}` +
		`{{template "a" (print . "y")}}{{end}}{{end}}`: "it goes on for more than 4194304 steps",
	`{{$x := "abcdefgh"}}{{range 60}}{{$x = print $x $x}}{{end}}`:         "more than 1048576 bytes",
	`{{$x := "abcdefgh"}}{{range 60}}{{$x = println $x $x}}{{end}}`:       "more than 1048576 bytes",
	`{{$x := "abcdefgh"}}{{range 60}}{{$x = printf "%s%s" $x $x}}{{end}}`: "more than 1048576 bytes",
}

// TestWhatATemplateMayNotDo: it is refused by its place, with what is wrong.
func TestWhatATemplateMayNotDo(t *testing.T) {
	for text, want := range unknown {
		if got, err := ours(text, values()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s makes %q, %v, want %s", text, got, err, want)
		}
	}
}

// somePipe is a pipeline by chance.
func somePipe(r *rand.Rand, deep int) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	if deep == 0 || r.IntN(3) == 0 {
		return pick(".", "$", ".Role", ".Values", ".Tunnels", ".ProbePort", ".Name", "$.Secrets.note",
			"$x", "$y", "0", "2", `"a"`, `"secondary"`, "true", ".Values.hostname", ".Secrets.empty")
	}
	one := func() string { return "(" + somePipe(r, deep-1) + ")" }
	switch r.IntN(4) {
	case 0:
		return pick("not", "len", "print", "printf", "index", "and", "or") + " " + one()
	case 1:
		return one() + pick("", ".Name", ".hostname", ".Role")
	case 2:
		return one() + " | " + pick("len", "print 1", `printf "%v"`, "eq 2", "and 1", "not",
			"index $.Tunnels")
	}
	two := pick("and", "or", "eq", "ne", "lt", "le", "gt", "ge", "index", "print", `printf "%v"`)
	return two + " " + one() + " " + one()
}

// someTemplate is a template by chance, in which $x and $y are known.
func someTemplate(r *rand.Rand, deep int, inRange bool) string {
	var all strings.Builder
	for range 1 + r.IntN(3) {
		pipe := "{{" + somePipe(r, 2) + "}}"
		orElse := func(ranged bool) string {
			return pipe[2:] + someTemplate(r, deep-1, ranged) + "{{else}}" +
				someTemplate(r, deep-1, inRange) + "{{end}}"
		}
		if deep == 0 {
			all.WriteString(pipe)
			continue
		}
		switch r.IntN(9) {
		case 0:
			all.WriteString("{{if " + orElse(inRange))
		case 1:
			all.WriteString("{{with $x := " + orElse(inRange))
		case 2:
			all.WriteString("{{range $x, $y := " + orElse(true))
		case 3:
			all.WriteString("{{range $y = " + orElse(true))
		case 4:
			all.WriteString("{{range " + orElse(true))
		case 5:
			all.WriteString("{{$x = " + pipe[2:])
		case 6:
			all.WriteString(`{{template "t" ` + pipe[2:])
		case 7:
			if inRange {
				ends := []string{"{{break}}", "{{continue}}"}[r.IntN(2)]
				all.WriteString("{{if " + pipe[2:] + ends + "{{end}}")
			}
		default:
			all.WriteString(pipe)
		}
	}
	return all.String()
}

// TestTemplatesByChance: the same holds for templates that are made by chance. What only this
// package refuses is looked at by TestWhatATemplateMayNotDo.
func TestTemplatesByChance(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	made := 0
	for range 5_000 {
		text := `{{$x := 1}}{{$y := "y"}}` + someTemplate(r, 3, false) +
			`{{define "t"}}{{.}}{{end}}`
		if _, err := ours(text, values()); err == nil {
			made++
		}
		compare(t, text, true)
	}
	if made < 250 {
		t.Errorf("only %d of them make something", made)
	}
}

func FuzzTemplates(f *testing.F) {
	for _, text := range known {
		f.Add(text)
	}
	for text := range unknown {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ours(text, values())
		if err != nil {
			return
		}
		want, wantErr := gos(text, values())
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		if wantErr != nil || got != want {
			t.Errorf("%q makes %q, text/template %q, %v", text, got, want, wantErr)
		}
	})
}

// TestNoTunnels: an empty list is as one that is not there.
func TestNoTunnels(t *testing.T) {
	const text = `{{range .Tunnels}}a{{else}}none{{end}}{{if .Tunnels}}b{{end}}` +
		`{{len .Tunnels}}{{.Tunnels}}`
	v := configtext.Of(appliance.Order{}, nil)
	got, err := ours(text, v)
	want, wantErr := gos(text, v)
	if err != nil || wantErr != nil || got != want+"\n" {
		t.Errorf("%q, %v, want %q, %v", got, err, want, wantErr)
	}
}
