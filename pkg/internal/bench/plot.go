package main

import (
	"maps"
	"math"
	"slices"

	"github.com/go-analyze/charts"
)

// curve is how the cost of one and the same thing grows with the size of something else.
type curve struct {
	name string
	// costs are the costs by size.
	costs map[int]float64
}

// relative are the costs at some sizes beside that at the curve's smallest. Between two sizes
// that were measured the cost is taken to grow evenly from one place to the next. Outside it is
// not known.
func (c curve) relative(sizes []int) []float64 {
	all := make([]float64, len(sizes))
	last := -1
	base := c.costs[slices.Min(slices.Collect(maps.Keys(c.costs)))]
	for i, size := range sizes {
		cost, measured := c.costs[size]
		if !measured {
			all[i] = charts.GetNullValue()
			continue
		}
		all[i] = cost / base
		for k := last + 1; last >= 0 && k < i; k++ {
			all[k] = all[last] + (all[i]-all[last])*float64(k-last)/float64(i-last)
		}
		last = i
	}
	return all
}

// plot draws the curves of the report, as SVG.
func (r report) plot() ([]byte, error) {
	var curves []curve
	var sizes []int
	for _, s := range r.sections {
		for _, c := range s.curves {
			if len(c.costs) > 1 {
				curves = append(curves, c)
				sizes = slices.AppendSeq(sizes, maps.Keys(c.costs))
			}
		}
	}
	slices.Sort(sizes)
	sizes = slices.Compact(sizes)
	var names, labels []string
	var lines [][]float64
	highest := 1.0
	for _, c := range curves {
		line := c.relative(sizes)
		names, lines = append(names, c.name), append(lines, line)
		for _, cost := range line {
			if cost != charts.GetNullValue() {
				highest = max(highest, cost)
			}
		}
	}
	for _, size := range sizes {
		labels = append(labels, thousands(float64(size)))
	}
	return draw(names, labels, lines, highest)
}

// draw draws lines. There is room for their names above the highest.
func draw(names, labels []string, lines [][]float64, highest float64) ([]byte, error) {
	small := charts.NewFontStyleWithSize(11)
	opt := charts.NewLineChartOptionWithData(lines)
	opt.Title.Text = "Processor time, beside that at the smallest size of the same line"
	opt.Title.FontStyle = charts.NewFontStyleWithSize(13)
	opt.Symbol.Shape = charts.SymbolNone
	opt.XAxis.Labels, opt.XAxis.LabelFontStyle = labels, small
	opt.XAxis.LabelCount = len(labels)
	opt.YAxis[0].Min, opt.YAxis[0].Max = charts.Ptr(0.0), charts.Ptr(math.Ceil(2*highest))
	opt.YAxis[0].LabelFontStyle = small
	opt.Legend.SeriesNames, opt.Legend.FontStyle = names, small
	opt.Legend.Vertical = charts.Ptr(true)
	opt.Legend.Offset = charts.OffsetStr{Left: "90", Top: "40"}
	p := charts.NewPainter(charts.PainterOptions{
		OutputFormat: charts.ChartOutputSVG, Width: 900, Height: 480,
	})
	if err := p.LineChart(opt); err != nil {
		return nil, err
	}
	return p.Bytes()
}
