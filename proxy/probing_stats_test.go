package proxy

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// auc returns how well a feature tells visited URLs from others: the probability that
// it is larger for one than for the other, or smaller. 0.5 is guessing.
func auc(with, without []float64) float64 {
	wins := 0.0
	for _, a := range with {
		for _, b := range without {
			switch {
			case a > b:
				wins++
			case a == b:
				wins += 0.5
			}
		}
	}
	p := wins / float64(len(with)*len(without))
	return max(p, 1-p)
}

// together returns how well all features tell: logistic regression on their ranks and
// the squares of these, of each fifth of the trials by the others.
func together(features map[string][2][]float64) float64 {
	var rows [][]float64
	var visited []float64
	for kind := range 2 {
		for _, pair := range features {
			for range pair[kind] {
				rows, visited = append(rows, []float64{1}), append(visited, float64(1-kind))
			}
			break
		}
	}
	for _, name := range slices.Sorted(maps.Keys(features)) {
		all := slices.Concat(features[name][0], features[name][1])
		sorted := slices.Sorted(slices.Values(all))
		for i, x := range all {
			low, _ := slices.BinarySearch(sorted, x)
			high, _ := slices.BinarySearch(sorted, math.Nextafter(x, math.Inf(1)))
			rank := float64(low+high)/float64(len(all)) - 1
			rows[i] = append(rows[i], rank, rank*rank-1./3)
		}
	}
	const folds = 5
	var scores [2][]float64
	order := rand.New(rand.NewPCG(7, 8)).Perm(len(rows))
	for fold := range folds {
		weights := make([]float64, len(rows[0]))
		score := func(i int) (sum float64) {
			for k, x := range rows[i] {
				sum += weights[k] * x
			}
			return sum
		}
		for range 300 {
			slope := make([]float64, len(weights))
			for n, i := range order {
				if n%folds != fold {
					off := visited[i] - 1/(1+math.Exp(-score(i)))
					for k, x := range rows[i] {
						slope[k] += off * x
					}
				}
			}
			for k := range weights {
				weights[k] += 2*slope[k]/float64(len(rows)) - 0.01*weights[k]
			}
		}
		for n, i := range order {
			if n%folds == fold {
				kind := 1 - int(visited[i])
				scores[kind] = append(scores[kind], score(i))
			}
		}
	}
	return auc(scores[0], scores[1])
}

func gather(into map[string][2][]float64, values map[string]float64, kind int) {
	for name, x := range values {
		pair := into[name]
		pair[kind] = append(pair[kind], x)
		into[name] = pair
	}
}

// ranked lists what each feature tells, the most telling first.
func ranked(features map[string][2][]float64) string {
	var lines []string
	for name, pair := range features {
		lines = append(lines, fmt.Sprintf("%.2f %s", auc(pair[0], pair[1]), name))
	}
	slices.Sort(lines)
	slices.Reverse(lines)
	return strings.Join(lines, ", ")
}

func best(features map[string][2][]float64) (most float64, by string) {
	for _, name := range slices.Sorted(maps.Keys(features)) {
		pair := features[name]
		if p := auc(pair[0], pair[1]); p > most {
			most, by = p, name
		}
	}
	return most, by
}
