package history

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parse reads entries, one a line, as in "1 a A B live via=N again=3 fresh begins". The first
// words are the Seq, the Key, From, To and the State.
func parse(lines ...string) []Entry {
	var all []Entry
	for _, line := range lines {
		words := strings.Fields(line)
		e := Entry{
			Seq: number(words[0]), Key: words[1], From: words[2], To: words[3],
			State: State(words[4]),
		}
		for _, word := range words[5:] {
			name, value, _ := strings.Cut(word, "=")
			switch name {
			case "via":
				e.Via = value
			case "aim":
				e.Aim = value
			case "again":
				e.Again = number(value)
			case "undone":
				e.Undone = number(value)
			case "under":
				e.Under = number(value)
			case "ends":
				e.Ends = number(value)
			case "on":
				e.On = number(value)
			case "fresh":
				e.Fresh = true
			case "begins":
				e.Begins = true
			default:
				panic("unknown: " + word)
			}
		}
		all = append(all, e)
	}
	return all
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// list splits lines at semicolons.
func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "; ")
}

func TestBegin(t *testing.T) {
	for _, c := range []struct{ name, entries, now, to, via, want string }{
		{"the first one", "", "A", "B", "", "9 k A B pending begins"},
		{"it is so already", "", "B", "B", "", "9 k B B live begins"},
		{"by way of another value", "", "A", "B", "N", "9 k A B pending via=N begins"},
		{
			"after a crash, made", "1 k A B pending begins", "B", "B", "",
			"1 k A B live again=9 begins",
		},
		{
			"after a crash, not made", "1 k A B pending begins", "A", "B", "",
			"1 k A B pending again=9 begins",
		},
		{
			"after a crash, half made", "1 k A B pending via=N begins", "N", "B", "N",
			"1 k A B pending via=N again=9 begins",
		},
		{"made and answered", "1 k A B live begins", "B", "B", "", "1 k A B live again=9 begins"},
		{
			"answered, and a stranger's way back", "1 k A B live via=N begins", "N", "B", "N",
			"9 k N B pending via=N begins",
		},
		{
			"answered, and undone by a stranger", "1 k A B live begins", "A", "B", "",
			"9 k A B pending begins",
		},
		{
			"its undo was cut short, before the change", "1 k A B undoing undone=2 aim=A begins",
			"B", "B", "", "1 k A B live again=9 begins",
		},
		{
			"its undo was cut short, after the change", "1 k A B undoing undone=2 aim=A begins",
			"A", "B", "", "9 k A B pending on=1",
		},
		{
			"its undo was answered", "1 k A B withdrawn undone=2 aim=A begins; 3 b A A live",
			"A", "B", "", "9 k A B pending on=3",
		},
		{
			"another one lies above", "1 k A B live begins; 2 b B C live", "C", "B", "",
			"9 k C B pending on=2",
		},
		{
			"another one above wants the same", "1 k A B live begins; 2 b B B live", "B", "B", "",
			"9 k B B live on=2",
		},
		{
			"another one above may have made it", "1 k A B live begins; 2 b B C pending", "B", "B",
			"", "9 k B B live on=2",
		},
		{
			"another one above is undone", "1 k A B live begins; 2 b B C withdrawn undone=3 aim=B",
			"B", "B", "", "1 k A B live again=9 begins",
		},
		{
			"its last one wants another value", "1 k A B live begins; 2 k B C live", "C", "B", "",
			"9 k C B pending on=2",
		},
		{
			"it changed nothing, and lies below another one", "1 k A B pending begins; " +
				"2 b A C withdrawn undone=3 aim=A", "A", "B", "", "9 k A B pending on=2",
		},
		{
			"its own release is none of it", "1 k A B live ends=1 begins", "B", "B", "",
			"9 k B B live begins",
		},
		{
			"a run below is over for it", "1 k A B live begins; 2 b S C withdrawn undone=3 aim=B begins",
			"B", "B", "", "9 k B B live on=2",
		},
		{"an action that found what it wants", "1 b A B live begins", "B", "B", "", "9 k B B live on=1"},
		{
			"all below are undone", "1 a A B withdrawn undone=2 aim=A begins", "A", "B", "",
			"9 k A B pending begins",
		},
		{
			"all above one that wants this are undone",
			"1 a A B live begins; 2 b S B withdrawn undone=3 aim=B begins", "B", "C", "",
			"9 k B C pending on=2",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := At(parse(list(c.entries)...), c.now).Begin("k", c.to, c.via, 9)
			if diff := cmp.Diff(parse(c.want)[0], got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUndo(t *testing.T) {
	for _, c := range []struct {
		name, entries, now string
		want               Undo
	}{
		{"nothing is recorded", "", "B", Undo{Aim: "B", Confirm: true}},
		{"nothing is recorded of it", "1 b A C live begins", "S", Undo{Aim: "S", Confirm: true}},
		{
			"nothing is recorded of it, and it is held", "1 b A C live begins", "C",
			Undo{HeldBy: []string{"b"}, Aim: "C", Confirm: true},
		},
		{
			"undone already, and a stranger came",
			"1 k A B withdrawn undone=2 aim=A begins; 3 b A D live", "S",
			Undo{Known: true, Again: true, Aim: "S"},
		},
		{
			"the only one, at once", "1 k A B live fresh begins", "B",
			Undo{Known: true, Aim: "A"},
		},
		{
			"the only one, as a reading from before shows it", "1 k A B live fresh begins", "A",
			Undo{Known: true, Aim: "A", Confirm: true},
		},
		{
			"not answered", "1 k A B pending fresh begins", "B",
			Undo{Known: true, Aim: "A", Confirm: true},
		},
		{"not answered, long ago", "1 k A B pending begins", "B", Undo{Known: true, Aim: "A"}},
		{
			"cut short", "1 k A B undoing undone=2 aim=A fresh begins", "B",
			Undo{Known: true, Aim: "A", Confirm: true},
		},
		{
			"on its way", "1 k A B pending via=N begins", "N",
			Undo{Known: true, Aim: "A", Confirm: true},
		},
		{
			"another one came recently", "1 k A B live begins; 2 b B C live fresh", "B",
			Undo{Known: true, Aim: "C", Drift: true, Confirm: true},
		},
		{
			"another undo came recently",
			"1 k A B live begins; 2 b B C withdrawn undone=3 aim=B fresh", "B",
			Undo{Known: true, Aim: "A", Confirm: true},
		},
		{
			"others came long ago", "1 b A C live begins; 2 k C B live", "B",
			Undo{Known: true, Aim: "C"},
		},
		{
			"held", "1 b A B live begins; 2 c B B live; 3 b B B live; 4 k B B live", "B",
			Undo{Known: true, HeldBy: []string{"b", "c"}, Aim: "B", Confirm: true},
		},
		{
			"held, and a stranger made it", "1 b A B live begins; 2 k S C live begins", "B",
			Undo{Known: true, HeldBy: []string{"b"}, Aim: "B", Drift: true, Confirm: true},
		},
		{
			"held by one that is on its way", "1 k A B live begins; 2 b B C pending via=N", "N",
			Undo{Known: true, HeldBy: []string{"b"}, Aim: "N", Confirm: true},
		},
		{
			"held by one that may have been made", "1 k A B live begins; 2 b B C pending fresh",
			"B", Undo{Known: true, HeldBy: []string{"b"}, Aim: "B", Confirm: true},
		},
		{
			"not held by one that was not made", "1 k A B live begins; 2 b B C pending", "B",
			Undo{Known: true, Aim: "A"},
		},
		{
			"not held by a recent one that is not uppermost",
			"1 k A B live begins; 2 b B C pending fresh; 3 c B B withdrawn undone=4 aim=B", "B",
			Undo{Known: true, Aim: "A", Confirm: true},
		},
		{
			"not held by a recent one that found another value",
			"1 k A B live begins; 2 b S C pending fresh begins", "B",
			Undo{Known: true, Aim: "S", Drift: true, Confirm: true},
		},
		{
			"not held by a release", "1 k A B live begins; 2 r B A pending ends=2 fresh", "B",
			Undo{Known: true, Aim: "A", Confirm: true},
		},
		{
			"undone already", "1 k A B withdrawn undone=3 aim=B begins; 2 b B B live", "B",
			Undo{Known: true, Again: true, HeldBy: []string{"b"}, Aim: "B"},
		},
		{
			"one of two is undone", "1 k A B withdrawn undone=2 aim=A begins; 3 k A B live", "B",
			Undo{Known: true, Aim: "A"},
		},
		{
			"a stranger's value", "1 k A B live begins", "S",
			Undo{Known: true, Aim: "A", Drift: true, Confirm: true},
		},
		{
			"a stranger brought the base back, others want another value",
			"1 b A C live begins; 2 k C B live", "A",
			Undo{Known: true, Aim: "A", Confirm: true},
		},
		{
			"a stranger brought back what another one wants", "1 b A C live begins; 2 k C B live",
			"C", Undo{Known: true, HeldBy: []string{"b"}, Aim: "C", Drift: true, Confirm: true},
		},
		{
			"released", "1 k A B live begins; 2 r B A live ends=2", "A",
			Undo{Known: true, Again: true, Released: "r", Aim: "A"},
		},
		{
			"released, and forgotten", "2 r B A live ends=2", "A",
			Undo{Released: "r", Aim: "A"},
		},
		{
			"its way is recorded with a later undo", "1 k A B undoing undone=3 via=N aim=A begins",
			"N", Undo{Known: true, Aim: "A", Confirm: true},
		},
		{
			"a later undo left another value",
			"1 k A B live begins; 2 b B C withdrawn undone=4 aim=D; 3 c C D live", "D",
			Undo{Known: true, HeldBy: []string{"c"}, Aim: "D", Confirm: true},
		},
		{
			"the value from before an undo that was answered",
			"1 k A B live begins; 2 b B C withdrawn undone=3 aim=B", "C",
			Undo{Known: true, Aim: "A", Drift: true, Confirm: true},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := At(parse(list(c.entries)...), c.now).Undo("k")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestExplained: the latest action wants the value, or the last events may have left it.
func TestExplained(t *testing.T) {
	for _, c := range []struct{ name, entries, explained, strange string }{
		{"nothing is recorded", "", "", "A"},
		{"answered", "1 a A B live begins", "B", "A S"},
		{"pending", "1 a A B pending via=N begins", "A N B", "S"},
		{"pending, and not the first", "1 a A B pending", "A B", "S"},
		{"two, answered", "1 a A B live begins; 2 b B C live", "C", "A B"},
		{"one answered, one pending", "1 a A B live begins; 2 b B C pending", "B C", "A S"},
		{"two pending", "1 a A B pending begins; 2 b A C pending", "A B C", "S"},
		{"an undo cut short", "1 d A D live begins; 2 a D B live; 3 b B C undoing undone=4 via=N aim=D",
			"B C D N", "A S"},
		{"an undo cut short, below another run",
			"1 a A B undoing undone=3 via=N aim=S begins; 2 b S C live begins", "C S N", "A B"},
		{"an undo cut short, below another run that is over",
			"1 a A B undoing undone=3 via=N aim=S begins", "A B N", "S"},
		{"an undo answered", "1 a A B live begins; 2 b B C withdrawn undone=3 aim=B", "B", "A C"},
		{"an undo answered that left nothing", "1 a A B live begins; 2 b B C withdrawn undone=3",
			"B C", "A"},
		{"the latest is wanted, and not the last event",
			"1 a A B live begins; 2 b B C withdrawn undone=3 aim=D", "B D", "A C"},
		{"the latest attempt came last",
			"1 a A B pending again=4 begins; 2 b A C withdrawn undone=3 aim=A",
			"A B", "C"},
		{"a run below", "1 a A B live begins; 2 b S C pending begins", "C S", "A B"},
		{"entered after the fact", "1 a B C live begins; 2 u A B live under=1", "C", "A B"},
		{"a release of what is uppermost, unanswered", "1 a A B live begins; 2 r B A pending ends=2",
			"A B", "S"},
		{"a release below, and one above", "1 a A B live begins; 2 b B C live; 3 r D D live ends=1",
			"C", "A B D"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, want := range []bool{true, false} {
				values := c.strange
				if want {
					values = c.explained
				}
				for _, now := range strings.Fields(values) {
					if got := At(parse(list(c.entries)...), now).Explained(); got != want {
						t.Errorf("%s: %v", now, got)
					}
				}
			}
		})
	}
}

func TestDoubtful(t *testing.T) {
	for _, c := range []struct {
		name, entries, now string
		want               bool
	}{
		{"nothing is recorded", "", "A", false},
		{"as an answered action left it", "1 a A B live begins fresh", "B", false},
		{"a stranger's", "1 a A B live begins", "S", true},
		{"an old attempt", "1 a A B pending begins", "A", false},
		{"an attempt within the last minute", "1 a A B pending begins fresh", "A", true},
		{"an undo within the last minute", "1 a A B live begins; 2 b B C withdrawn undone=3 aim=B fresh",
			"B", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := At(parse(list(c.entries)...), c.now).Doubtful(); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestOver(t *testing.T) {
	for _, c := range []struct{ name, entries, now, want string }{
		{"the base", "1 k A B live begins; 2 b B B live", "B", "A"},
		{"what the latest wants", "1 b A C live begins; 2 k C B live; 3 c B B live", "B", "C"},
		{"not what it wants itself", "1 k A C live begins; 2 b C B live; 3 k B B live", "B", "A"},
		{"not what was not made", "1 b A C pending begins; 2 k A B live; 3 c B B live", "B", "A"},
		{"of two, the later", "1 b A C live begins; 2 d C D live; 3 k D B live; 4 c B B live",
			"B", "D"},
		{"the uppermost", "1 k A B live begins; 2 c B C live", "B", "C"},
		{"the base of the uppermost run", "1 b A C live begins; 2 k S B live begins; 3 c B B live",
			"B", "S"},
		{"nowhere, from below a stranger's change", "1 k A B live begins; 2 c S B live begins",
			"B", "B"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := At(parse(list(c.entries)...), c.now).Over("k"); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestOnTheWay(t *testing.T) {
	for _, c := range []struct{ name, entries, now, found, to string }{
		{"nothing is recorded", "", "N", "", ""},
		{"on the way", "1 a A B pending via=N begins", "N", "A", "B"},
		{"not made", "1 a A B pending via=N begins", "A", "", ""},
		{"made", "1 a A B pending via=N begins", "B", "", ""},
		{"answered", "1 a A B live via=N begins", "N", "", ""},
		{"another one wants it", "1 a A B pending via=N begins; 2 b N N live", "N", "", ""},
		{"another one wants more", "1 b S A live begins; 2 a A B pending via=N", "N", "A", "B"},
		{
			"the latest of two", "1 a A B pending via=N begins; 2 b N C pending via=N", "N",
			"N", "C",
		},
		{"made by one above", "1 a A B pending via=N begins; 2 b N N pending", "N", "", ""},
		{"a run below", "1 a A B pending via=N begins; 2 b S C live begins", "N", "", ""},
		{"left behind", "1 a A B pending via=N begins; 2 b N C live", "N", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, to, ok := At(parse(list(c.entries)...), c.now).OnTheWay()
			if found != c.found || to != c.to || ok != (c.to != "") {
				t.Errorf("found %q, to %q, %v; want %q, %q", found, to, ok, c.found, c.to)
			}
		})
	}
}

func TestBase(t *testing.T) {
	for _, c := range []struct{ name, entries, now, base, wanted string }{
		{"nothing is recorded", "", "S", "S", "S"},
		{"one", "1 a A B live begins", "B", "A", "B"},
		{"the latest of two", "1 a A B live begins; 2 b B C live", "C", "A", "C"},
		{"the latest is undone", "1 a A B live begins; 2 b B C undoing undone=3 aim=B", "C", "A", "B"},
		{"all are undone", "1 a A B withdrawn undone=2 aim=A begins", "A", "A", "A"},
		{"two runs", "1 a A B live begins; 2 b S C undoing undone=3 aim=S begins", "C", "S", "S"},
		{"after a release", "1 a A B live begins; 2 r B D live ends=2; 3 b D C live", "C", "D", "C"},
		{"after a release of what lies below", "1 a A B live begins; 2 b B C live; 3 r D D live ends=1",
			"C", "D", "C"},
		{"after a release alone", "1 a A B live begins; 2 r B D live ends=2", "S", "S", "S"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := At(parse(list(c.entries)...), c.now)
			if v.Base() != c.base || v.Wanted() != c.wanted {
				t.Errorf("base %s, wanted %s; want %s, %s", v.Base(), v.Wanted(), c.base, c.wanted)
			}
		})
	}
}

func TestEnter(t *testing.T) {
	for _, c := range []struct{ name, entries, now, want string }{
		{"nothing is recorded", "", "B", ""},
		{"below the only one", "1 a B C live begins", "C", "9 k A B live under=1 begins"},
		{"below none", "1 a D C live begins", "C", ""},
		{
			"below one that was entered", "1 a D C live begins; 2 b B D withdrawn undone=3 under=1",
			"C", "9 k A B live under=1 begins",
		},
		{
			"below the upper run", "1 a D C live begins; 2 b B E live begins", "E",
			"9 k A B live under=2 begins",
		},
		{
			"below the upper run, where the lower one left off",
			"1 a D A live begins; 2 b B E live begins", "E", "9 k A B live under=2",
		},
		{
			"below the lower run", "1 a B C live begins; 2 b D E live begins", "E",
			"9 k A B live under=1 begins",
		},
		{"below a release", "1 r C B live ends=1; 2 a B C live", "C", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := At(parse(list(c.entries)...), c.now).Enter("k", "A", "B", 9)
			want := Entry{}
			if c.want != "" {
				want = parse(c.want)[0]
			}
			if diff := cmp.Diff(want, got); diff != "" || ok != (c.want != "") {
				t.Errorf("%v\n%s", ok, diff)
			}
		})
	}
	t.Run("below what only the provider tells of", func(t *testing.T) {
		v := At(nil, "C").Below("t", "B")
		if e, ok := v.Enter("k", "A", "B", 9); ok {
			t.Errorf("%+v", e)
		}
	})
}

func TestBelow(t *testing.T) {
	for _, c := range []struct {
		name, entries, now string
		held               []string
		base               string
	}{
		{"nothing is recorded", "", "F", []string{"t"}, "G"},
		{"it is not so", "", "G", nil, "G"},
		{"below one", "1 a F H live begins", "H", []string{"a"}, "G"},
		{"below one that is undone", "1 a F H withdrawn undone=2 aim=F begins", "F",
			[]string{"t"}, "G"},
		{"below one that was entered", "1 a F H live begins; 2 u E F undoing undone=3 under=1", "E",
			[]string{"t"}, "G"},
		{"the lowest found it, too", "1 a G H live begins", "G", nil, "G"},
		{"another run lies above", "1 a F H live begins; 2 b S H live begins", "F",
			[]string{"t"}, "S"},
		{"after a release", "1 r F E live ends=1; 2 a E H live", "E", nil, "E"},
		{"after a release alone", "1 r G F live ends=1", "F", []string{"t"}, "G"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := At(parse(list(c.entries)...), c.now).Below("t", "G")
			if got := v.Undo("k").HeldBy; !slices.Equal(got, c.held) || v.Base() != c.base {
				t.Errorf("held by %v, base %s; want %v, %s", got, v.Base(), c.held, c.base)
			}
		})
	}
	t.Run("its undo is recorded below all", func(t *testing.T) {
		a := parse("1 a F H live begins")
		v := At(a, "H").Below("t", "G")
		want := parse("2 t G F undoing under=1 undone=2 aim=G")
		if diff := cmp.Diff(want, v.Undoing("t", 2, "G")); diff != "" {
			t.Error(diff)
		}
		if base := At(append(a, want...), "H").Base(); base != "G" {
			t.Errorf("base %s", base)
		}
	})
}

func TestRelease(t *testing.T) {
	for _, c := range []struct{ name, entries, now, want string }{
		{"of what is there", "1 a A B live begins", "B", "9 k B none pending ends=9"},
		{"of what a stranger made", "1 a A C live begins", "B", "9 k B none pending ends=9 begins"},
		{
			"below a take-over", "1 a A B live begins; 2 b B C live", "C",
			"9 k none none live ends=1 begins",
		},
		{
			"below a stranger's", "1 a A B live begins", "C", "9 k none none live ends=1 begins",
		},
		{"nothing is recorded", "", "C", ""},
		{"of what was never there", "1 a A C live begins", "C", ""},
		{"of what is undone", "1 a A B withdrawn undone=2 aim=A begins; 3 b A A live", "A", ""},
		{"of what was not made", "1 a A B pending begins; 2 b A C live", "C", ""},
		{
			"of the last that led there", "1 a A B live begins; 2 b B B live; 3 c B C live", "C",
			"9 k none none live ends=2 begins",
		},
		{
			"below a run", "1 a A B live begins; 2 b S C undoing undone=3 aim=S begins", "S",
			"9 k none none live ends=1 begins",
		},
		{
			"an earlier attempt did it", "1 a A B live begins; 2 k B none pending ends=2", "none",
			"2 k B none live ends=2",
		},
		{
			"an earlier attempt did it, and was answered", "2 k B none live ends=2", "C",
			"2 k B none live ends=2",
		},
		{"the very first attempt did it", "1 k B none live ends=1", "C", "1 k B none live ends=1"},
		{"an action under its key is none of it", "1 k A C withdrawn undone=2 aim=C; 3 b A C live",
			"C", ""},
		{
			"an earlier attempt did not", "1 a A B live begins; 2 k B none pending ends=2", "B",
			"9 k B none pending ends=9",
		},
		{
			"another one's attempt did it", "1 a A B live begins; 2 r B none pending ends=2",
			"none", "9 k none none live ends=1 begins",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := At(parse(list(c.entries)...), c.now).Release("k", "B", "none", 9)
			want := Entry{}
			if c.want != "" {
				want = parse(c.want)[0]
			}
			if diff := cmp.Diff(want, got); diff != "" || ok != (c.want != "") {
				t.Errorf("%v\n%s", ok, diff)
			}
		})
	}
}

func TestEnd(t *testing.T) {
	for _, c := range []struct{ name, entries, now, want string }{
		{"of one", "1 a A B live begins", "B", "9 k B A pending ends=9"},
		{"of one with a way", "1 a A B live via=N begins; 2 b B C live", "C",
			"9 k C A pending via=N ends=9"},
		{"of the last way", "1 a A B live via=N begins; 2 b B C live via=M", "C",
			"9 k C A pending via=M ends=9"},
		{"it is so already", "1 a A B undoing undone=2 aim=A begins", "A", "9 k A A live ends=9"},
		{"of a stranger's", "1 a A B live begins", "S", "9 k S A pending ends=9 begins"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := At(parse(list(c.entries)...), c.now).End("k", "A", 9)
			if diff := cmp.Diff(parse(c.want)[0], got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWithdrawn(t *testing.T) {
	for _, c := range []struct{ name, entries, now, left, want string }{
		{"one", "1 k A B undoing undone=2 aim=A begins", "B", "A",
			"1 k A B withdrawn undone=9 aim=A begins"},
		{"below another run", "1 k A B live begins; 2 b S C live begins", "C", "C",
			"1 k A B withdrawn undone=9 begins"},
		{"a stranger brought the base back", "1 b A C live begins; 2 k C B live", "A", "A",
			"2 k C B withdrawn undone=9"},
		{"over a stranger's", "1 b A C live begins; 2 k C B live", "S", "C",
			"2 k C B withdrawn undone=9 aim=C"},
		{"held, and a stranger made it", "1 b A C live begins; 2 k C B live", "C", "C",
			"2 k C B withdrawn undone=9"},
		{"twice", "1 k A B live begins; 2 b B C live; 3 k C B live", "B", "C",
			"1 k A B withdrawn undone=9 aim=C begins; 3 k C B withdrawn undone=9 aim=C"},
		{"not what is undone", "1 k A B withdrawn undone=2 aim=A begins; 3 b A A live", "A", "A", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := At(parse(list(c.entries)...), c.now).Withdrawn("k", 9, c.left)
			if diff := cmp.Diff(parse(list(c.want)...), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNeeded(t *testing.T) {
	for _, c := range []struct{ name, entries, want string }{
		{"nothing", "", ""},
		{"one in force", "1 a A B live begins", "1"},
		{"one that is being undone", "1 a A B undoing undone=2 aim=A begins", "1"},
		{"undone", "1 a A B withdrawn undone=2 aim=A begins", ""},
		{"undone below one in force", "1 a A B withdrawn undone=3 aim=C begins; 2 b B C live", "1 2"},
		{"a run that is over", "1 a A B live begins; 2 b S C withdrawn undone=3 aim=S begins", "1"},
		{
			"a run that is over and left what one below wants",
			"1 a A B live begins; 2 b S B withdrawn undone=3 aim=B begins", "1 2",
		},
		{
			"not what an undo before the last left",
			"1 a A B live begins; 2 b S B withdrawn undone=4 aim=B begins; " +
				"3 c B C withdrawn undone=5 aim=S", "1",
		},
		{
			"not what the last undo left of an older place",
			"1 a A B live begins; 2 b S B withdrawn undone=5 aim=S begins; " +
				"3 c B C withdrawn undone=4 aim=B", "1",
		},
		{
			"a run below is over and left what one below wants",
			"1 a A B live begins; 2 b S B withdrawn undone=4 aim=B begins; 3 c T C live begins",
			"1 3",
		},
		{
			"one below that is being undone, from what it left",
			"1 a A B undoing undone=4 aim=A begins; 2 b S B withdrawn undone=3 aim=B begins", "1 2",
		},
		{
			"one below that is being undone, from another value",
			"1 a A C undoing undone=4 aim=A begins; 2 b S B withdrawn undone=3 aim=B begins", "1",
		},
		{
			"one below on its way, by way of what it left",
			"1 a A C pending via=B begins; 2 b S B withdrawn undone=3 aim=B begins", "1 2",
		},
		{"a release alone", "1 a A B live begins; 2 r B A live ends=2", "2"},
		{"a release with one in force", "1 a A B live begins; 2 r B A live ends=2; 3 b A B live", "2 3"},
		{"a release with one undone", "1 a A B live begins; 2 r B A live ends=2; " +
			"3 b A B withdrawn undone=4 aim=A", "2"},
		{"a release that was not answered", "1 a A B live begins; 2 r B A pending ends=2", "1 2"},
		{"a release that was not answered, alone", "2 r B A pending ends=2 begins", ""},
		{
			"a release that was not answered, of a stranger's above one in force",
			"1 a A B live begins; 2 r S A pending ends=2 begins", "1 2",
		},
		{
			"a release that was not answered, of a stranger's above one undone",
			"1 a A B withdrawn undone=3 aim=A begins; 2 r S A pending ends=2 begins", "",
		},
		{
			"a run that is over and left what a release left",
			"1 r B A live ends=1; 2 b S A withdrawn undone=3 aim=A begins",
			"1",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, e := range Needed(parse(list(c.entries)...)) {
				got = append(got, strconv.FormatInt(e.Seq, 10))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
		})
	}
}

func TestSpent(t *testing.T) {
	for _, c := range []struct{ name, entries, want string }{
		{"nothing", "", ""},
		{"the last release", "1 a A B live begins; 2 k B A live ends=2", ""},
		{"a release below another one", "2 k B A live ends=2; 3 a A B live; 4 k B A live ends=4", "2"},
		{
			"two of them",
			"2 k B A live ends=2; 4 k B A live ends=4; 5 a A B live; 6 k B A live ends=6", "2 4",
		},
		{"below the key's own action, which it lies under", "2 k B A live ends=2; 3 k A B live", ""},
		{
			"a release of the very first one",
			"1 a A B live begins; 2 k B A live ends=1; 3 b A B live begins; 4 k B A live ends=3", "2",
		},
		{"of another key", "2 r B A live ends=2; 3 a A B live; 4 k B A live ends=4", ""},
		{"below another key's action alone", "2 k B A live ends=2; 3 a A B live", ""},
		{
			"not answered, over one in force",
			"1 a A B live begins; 2 k B A pending ends=2; 4 k S A live ends=3 begins", "",
		},
		{"an action", "1 k A B live begins; 2 k B C live", ""},
		{
			"one whose loss would bring an action back",
			"1 a A B live begins; 2 k B A live ends=2; 3 b S T live begins; 4 k T T live", "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, e := range Spent(parse(list(c.entries)...), "k") {
				got = append(got, strconv.FormatInt(e.Seq, 10))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
		})
	}
}

// TestRepeatable: of runs that are over, those of several actions are kept while one of them is
// fresh, each run as a whole.
func TestRepeatable(t *testing.T) {
	for _, c := range []struct{ name, entries, want string }{
		{"nothing", "", ""},
		{"one action", "1 a A B withdrawn undone=2 aim=A begins fresh", ""},
		{"one action, tried twice", "1 a A B withdrawn undone=3 aim=A begins; " +
			"2 a B C withdrawn undone=3 aim=A fresh", ""},
		{"two actions", "1 a A B withdrawn undone=3 aim=C begins; " +
			"2 b B C withdrawn undone=4 aim=A fresh", "1 2"},
		{"two actions, a while ago", "1 a A B withdrawn undone=3 aim=C begins; " +
			"2 b B C withdrawn undone=4 aim=A", ""},
		{"the lower one is fresh", "1 a A B withdrawn undone=4 aim=A begins fresh; " +
			"2 b B C withdrawn undone=3 aim=B", "1 2"},
		{
			"two runs, of which the upper one is fresh",
			"1 a A B withdrawn undone=5 aim=A begins; 2 b B C withdrawn undone=6 aim=A; " +
				"3 c S T withdrawn undone=7 aim=S begins fresh; 4 d T U withdrawn undone=8 aim=S", "3 4",
		},
		{
			"two runs, of which the lower one is fresh",
			"1 a A B withdrawn undone=5 aim=A begins; 2 b B C withdrawn undone=6 aim=A fresh; " +
				"3 c S T withdrawn undone=7 aim=S begins; 4 d T U withdrawn undone=8 aim=S", "1 2",
		},
		{
			"two runs of one action each",
			"1 a A B withdrawn undone=3 aim=A begins fresh; 2 b S T withdrawn undone=4 aim=S begins fresh",
			"",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, e := range Repeatable(parse(list(c.entries)...)) {
				got = append(got, strconv.FormatInt(e.Seq, 10))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
		})
	}
}

// TestOrder: the order is told by the places, whatever the order of a file.
func TestOrder(t *testing.T) {
	for _, c := range []struct{ name, entries, want string }{
		{"by place", "2 b B C live; 1 a A B live", "a b"},
		{"entered below the lowest", "1 b B C live begins; 5 a A B live under=1", "a b"},
		{"entered twice", "1 c C D live begins; 2 b B C live under=1; 3 a A B live under=1", "a b c"},
		{"entered below the upper run", "1 a A B live; 2 c C D live begins; 3 b B C live under=2",
			"a b c"},
		{"entered above a release of what lies below", "1 x A B live; 2 c C D live begins; " +
			"3 b B C live under=2; 4 a C C live ends=1", "a b c"},
		{"a release of what lies just below", "3 x A B live; 5 b B C live; 6 a C C live ends=4", "a b"},
		{"a release of what lies just below another",
			"4 a A B pending; 5 c B C live; 6 b B B pending ends=4", "a b c"},
		{"a release of what is uppermost", "1 a A B live; 3 c B C live; 2 b B B live ends=2", "b c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, e := range At(parse(list(c.entries)...), "").entries {
				got = append(got, e.Key)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
		})
	}
}

// TestAtKeepsItsEntries: what is handed over is not changed.
func TestAtKeepsItsEntries(t *testing.T) {
	entries := parse("3 b A C live", "1 a A B live begins", "2 r B A live ends=2")
	before := slices.Clone(entries)
	v := At(entries, "C")
	v.Undo("b")
	v.Undoing("b", 4, "A")
	v.Below("t", "D")
	Needed(entries)
	if diff := cmp.Diff(before, entries); diff != "" {
		t.Error(diff)
	}
}
