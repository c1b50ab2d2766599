package metrics

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// series is one series of a family: the value of a counter or a gauge, or all of a histogram.
type series struct {
	// value is a histogram's sum.
	value, count float64
	// buckets count what is not above each bound.
	buckets []float64
	// told is how many of its buckets were read from a text, -1 if one was of another bound.
	told int
}

// samples are series by their families and labels.
type samples map[*Family]map[string]*series

// maxSeries is how many series of one family are told. Beyond it new ones are left out.
const maxSeries = 1000

var errTooMany = errors.New("there are too many series, so new ones are left out")

// at returns a series, which it makes if there is none; nil if there are too many.
func (all samples) at(f *Family, labels string) *series {
	of := all[f]
	if of == nil {
		of = map[string]*series{}
		all[f] = of
	}
	v := of[labels]
	if v == nil && len(of) < maxSeries {
		v = &series{buckets: make([]float64, len(f.Buckets))}
		of[labels] = v
	}
	return v
}

// merge adds counts, and takes over gauges, which are the later ones. Its error is errTooMany.
func (all samples) merge(later samples) error {
	var err error
	for f, of := range later {
		if f.Kind == Gauge && f.Whole {
			all[f] = map[string]*series{}
		}
		for labels, v := range of {
			sum := all.at(f, labels)
			switch {
			case sum == nil:
				err = errTooMany
			case f.Kind == Gauge:
				sum.value = v.value
			default:
				sum.value += v.value
				sum.count += v.count
				for i := range v.buckets {
					sum.buckets[i] += v.buckets[i]
				}
			}
		}
	}
	return err
}

// key writes labels and their values as they are told.
func key(f *Family, values []string) string {
	var b strings.Builder
	for i, name := range f.Labels {
		if i > 0 {
			b.WriteByte(',')
		}
		value := ""
		if i < len(values) {
			value = values[i]
		}
		b.WriteString(name + `="` + escaper.Replace(clean(value)) + `"`)
	}
	return b.String()
}

// escaper escapes what the text format has escapes for. A line end is no part of a clean value.
var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// write writes all samples in Prometheus' text format, always in the same order.
func (all samples) write(w io.StringWriter) {
	for _, f := range table {
		of, told := all[f]
		// Series that another version wrote were left out, maybe all of them.
		if !told || len(of) == 0 && !f.Whole {
			continue
		}
		_, _ = w.WriteString("# HELP " + f.Name + " " + f.Help + "\n" +
			typeComment + f.Name + " " + string(f.Kind) + "\n")
		for _, labels := range slices.Sorted(maps.Keys(of)) {
			writeSeries(w, f, labels, of[labels])
		}
	}
}

func writeSeries(w io.StringWriter, f *Family, labels string, v *series) {
	line := func(suffix, labels string, value float64) {
		_, _ = w.WriteString(f.Name + suffix + "{" + labels + "} " +
			strconv.FormatFloat(value, 'g', -1, 64) + "\n")
	}
	if f.Kind != Histogram {
		line("", labels, v.value)
		return
	}
	for i, bound := range f.Buckets {
		line("_bucket", labels+`,le="`+boundText(bound)+`"`, v.buckets[i])
	}
	line("_bucket", labels+`,le="+Inf"`, v.count)
	line("_sum", labels, v.value)
	line("_count", labels, v.count)
}

func boundText(bound float64) string { return strconv.FormatFloat(bound, 'g', -1, 64) }

// typeComment begins the line that tells the kind of a metric.
const typeComment = "# TYPE "

// mergedComment begins the line that names a part that a file has in it already.
const mergedComment = "# merged "

// endComment ends a text: one that was cut does not have it.
const endComment = "# end\n"

// encode writes a text that parse reads.
func encode(all samples, merged []string) string {
	var b strings.Builder
	for _, part := range merged {
		b.WriteString(mergedComment + part + "\n")
	}
	all.write(&b)
	b.WriteString(endComment)
	return b.String()
}

// parse reads what write wrote, and the parts that a file says it has in it. It leaves out metrics
// that this program does not know, or knows in another form: another version wrote them. A text
// of another form is refused as a whole.
func parse(text string) (all samples, merged []string, err error) {
	all = samples{}
	whole, ok := strings.CutSuffix(text, endComment)
	if !ok {
		return nil, nil, errors.New("its end is missing")
	}
	for number, line := range strings.Split(whole, "\n") {
		part, isMerged := strings.CutPrefix(line, mergedComment)
		switch {
		case isMerged:
			merged = append(merged, part)
		case line == "" || strings.HasPrefix(line, "#"):
			// A gauge that is told as a whole may have no series.
			name, _, _ := strings.Cut(strings.TrimPrefix(line, typeComment), " ")
			if f, _ := familyOf(name); f != nil && f.Whole && all[f] == nil {
				all[f] = map[string]*series{}
			}
		default:
			if err := all.read(line); err != nil {
				return nil, nil, fmt.Errorf("line %d: %w", number+1, err)
			}
		}
	}
	return all, merged, all.check()
}

// read reads the line of one sample.
func (all samples) read(line string) error {
	name, rest, ok := strings.Cut(line, "{")
	end := strings.LastIndex(rest, "} ")
	if !ok || end < 0 {
		return errors.New("it is no sample with labels")
	}
	value, err := strconv.ParseFloat(rest[end+2:], 64)
	if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
		return errors.New("its value is no number")
	}
	names, values, err := readLabels(rest[:end])
	if err != nil {
		return err
	}
	f, suffix := familyOf(name)
	if f == nil {
		return nil
	}
	if value < 0 && f.Kind != Gauge {
		return errors.New("it is a count below zero")
	}
	bound := ""
	if last := len(names) - 1; suffix == "_bucket" && last >= 0 && names[last] == "le" {
		bound, names, values = values[last], names[:last], values[:last]
	}
	if !slices.Equal(names, f.Labels) {
		return nil
	}
	if v := all.at(f, key(f, values)); v != nil {
		v.put(f, suffix, bound, value)
	}
	return nil
}

// put puts one line's value into a series.
func (v *series) put(f *Family, suffix, bound string, value float64) {
	switch suffix {
	case "", "_sum":
		v.value = value
	case "_count":
		v.count = value
	case "_bucket":
		i := slices.IndexFunc(f.Buckets, func(b float64) bool { return boundText(b) == bound })
		switch {
		case i >= 0 && v.told >= 0:
			v.buckets[i] = value
			v.told++
		case bound != "+Inf":
			v.told = -1
		}
	}
}

// familyOf finds the family that a line's name belongs to, and what the name adds to it.
func familyOf(name string) (f *Family, suffix string) {
	for _, f := range table {
		rest, ok := strings.CutPrefix(name, f.Name)
		switch {
		case !ok:
		case f.Kind == Histogram && (rest == "_bucket" || rest == "_sum" || rest == "_count"):
			return f, rest
		case f.Kind != Histogram && rest == "":
			return f, ""
		}
	}
	return nil, ""
}

// readLabels reads the names and values of labels.
func readLabels(text string) (names, values []string, err error) {
	bad := errors.New("its labels are not of the form name=\"value\"")
	for text != "" {
		name, rest, ok := strings.Cut(text, `="`)
		value, rest, closed := readValue(rest)
		if !ok || !closed || name == "" || strings.ContainsAny(name, `",{} `) {
			return nil, nil, bad
		}
		names, values = append(names, name), append(values, value)
		if text, ok = strings.CutPrefix(rest, ","); !ok && rest != "" {
			return nil, nil, bad
		}
	}
	return names, values, nil
}

// readValue reads an escaped value up to its closing quote.
func readValue(text string) (value, rest string, closed bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], true
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// check takes out the histograms of a version with other bounds, and refuses what counts wrongly.
func (all samples) check() error {
	for f, of := range all {
		for labels, v := range of {
			rising := append(slices.Clone(v.buckets), v.count)
			switch {
			case v.told != len(f.Buckets):
				delete(of, labels)
			case f.Kind == Histogram && !slices.IsSorted(rising):
				return fmt.Errorf("the buckets of %s{%s} do not rise", f.Name, labels)
			}
		}
	}
	return nil
}

// Sample is one series of a metric, as it stands.
type Sample struct {
	Family Family
	// Labels are the values of the family's labels, in their order.
	Labels []string
	// Value is that of a counter or a gauge, or a histogram's sum. Count and Buckets are a
	// histogram's: Buckets counts what is not above each of the family's bounds.
	Value   float64
	Count   uint64
	Buckets map[float64]uint64
}

// Samples lists what was counted so far, in the order in which it is written.
func (s *Set) Samples() []Sample {
	if s == nil {
		return nil
	}
	all := s.taken()
	var list []Sample
	for i, f := range Families() {
		of := all[table[i]]
		for _, labels := range slices.Sorted(maps.Keys(of)) {
			v := of[labels]
			_, values, _ := readLabels(labels)
			sample := Sample{Family: f, Labels: values, Value: v.value, Count: uint64(v.count)}
			if f.Kind == Histogram {
				sample.Buckets = map[float64]uint64{}
				for i, bound := range f.Buckets {
					sample.Buckets[bound] = uint64(v.buckets[i])
				}
			}
			list = append(list, sample)
		}
	}
	return list
}

// Write writes what was counted so far in Prometheus' text format.
func (s *Set) Write(w io.StringWriter) {
	if s != nil {
		s.taken().write(w)
	}
}
