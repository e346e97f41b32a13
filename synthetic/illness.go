package synthetic

import "time"

// illness is what a condition does to a body and what is done about it.
type illness struct {
	code      coding // SNOMED CT
	ramp      int    // days from onset to full effect
	lasts     int    // days until it is over by itself; 0: it stays
	effects   []effect
	responds  int     // days from treatment to its full response
	residual  int     // percent of the effects that treatment leaves
	drugs     []*drug // given at diagnosis, one visit later, and so on
	panels    []*panel
	procedure coding
	sensitive bool   // mental health: labelled so that it goes to a section of its own
	told      string // what the patient says at diagnosis
	found     string // assessment at diagnosis
	plan      string
	later     string // assessment at follow-up
}

type effect struct {
	on *measure
	by int
}

// drug is a product with its usual directions.
type drug struct {
	code   coding // RxNorm
	text   string
	sig    string
	perDay int // units; 0: as needed
}

func snomed(code, display string) coding { return coding{snomedSystem, code, display} }
func rxnorm(code, display string) coding { return coding{rxnormSystem, code, display} }

var (
	lisinopril   = &drug{rxnorm("314076", "lisinopril 10 MG Oral Tablet"), "Lisinopril 10 mg", "One tablet by mouth every morning", 1}
	amlodipine   = &drug{rxnorm("197361", "amlodipine 5 MG Oral Tablet"), "Amlodipine 5 mg", "One tablet by mouth every evening", 1}
	metformin    = &drug{rxnorm("861007", "metformin hydrochloride 500 MG Oral Tablet"), "Metformin 500 mg", "One tablet by mouth twice a day with meals", 2}
	atorvastatin = &drug{rxnorm("617310", "atorvastatin 20 MG Oral Tablet"), "Atorvastatin 20 mg", "One tablet by mouth at bedtime", 1}
	albuterol    = &drug{rxnorm("2123111", "NDA020503 200 ACTUAT albuterol 0.09 MG/ACTUAT Metered Dose Inhaler"), "Albuterol inhaler", "Two puffs when short of breath, at most every four hours", 0}
	fluticasone  = &drug{rxnorm("895994", "120 ACTUAT fluticasone propionate 0.044 MG/ACTUAT Metered Dose Inhaler"), "Fluticasone inhaler", "Two puffs twice a day, rinse the mouth afterwards", 4}
	salmeterol   = &drug{rxnorm("896209", "60 ACTUAT fluticasone propionate 0.25 MG/ACTUAT / salmeterol 0.05 MG/ACTUAT Dry Powder Inhaler"), "Fluticasone and salmeterol inhaler", "One inhalation twice a day", 2}
	ferrous      = &drug{rxnorm("310325", "ferrous sulfate 325 MG Oral Tablet"), "Ferrous sulfate 325 mg", "One tablet by mouth every other day between meals", 1}
	thyroxine    = &drug{rxnorm("966222", "levothyroxine sodium 0.075 MG Oral Tablet"), "Levothyroxine 75 micrograms", "One tablet by mouth half an hour before breakfast", 1}
	apixaban     = &drug{rxnorm("1364445", "apixaban 5 MG Oral Tablet"), "Apixaban 5 mg", "One tablet by mouth twice a day", 2}
	metoprolol   = &drug{rxnorm("866436", "24 HR metoprolol succinate 50 MG Extended Release Oral Tablet"), "Metoprolol succinate 50 mg", "One tablet by mouth every morning, do not crush", 1}
	sertraline   = &drug{rxnorm("312940", "sertraline 25 MG Oral Tablet"), "Sertraline 25 mg", "Two tablets by mouth every morning", 2}
	naproxen     = &drug{rxnorm("849574", "naproxen sodium 220 MG Oral Tablet"), "Naproxen 220 mg", "One tablet at the onset of pain, at most three a day", 0}
	ibuprofen    = &drug{rxnorm("310965", "ibuprofen 200 MG Oral Tablet"), "Ibuprofen 200 mg", "Two tablets with food when in pain, for at most ten days", 0}
	loratadine   = &drug{rxnorm("665078", "loratadine 5 MG Chewable Tablet"), "Loratadine 5 mg", "One chewable tablet a day in the pollen season", 1}
)

var (
	hypertension = &illness{code: snomed("59621000", "Essential hypertension"), ramp: 300, effects: []effect{{systolic, 41}, {diastolic, 21}, {resting, 2}},
		responds: 420, residual: 8, drugs: []*drug{lisinopril, amlodipine}, panels: []*panel{metabolic}, procedure: snomed("29303009", "Electrocardiographic procedure"),
		told: "Morning headaches for some weeks.", found: "Essential hypertension, raised on three separate days.", plan: "Less salt, a walk every day, tablets from today.", later: "Blood pressure follows the treatment."}
	diabetes = &illness{code: snomed("44054006", "Diabetes mellitus type 2"), ramp: 500, effects: []effect{{glucose, 88}, {glycated, 34}, {triglyc, 60}, {weight, 90}, {steps, -1500}},
		responds: 500, residual: 33, drugs: []*drug{metformin}, panels: []*panel{sugar, metabolic, lipids}, procedure: snomed("401191002", "Diabetic foot examination"),
		told: "Thirsty, and up three times a night.", found: "Type 2 diabetes, confirmed by a second glycated hemoglobin.", plan: "Diet counselling, home glucose diary, eyes checked once a year.", later: "Sugars are coming down, feet without lesions."}
	prediabetes = &illness{code: snomed("15777000", "Prediabetes"), ramp: 600, effects: []effect{{glucose, 17}, {glycated, 6}},
		residual: 100, panels: []*panel{sugar}, told: "No complaints.", found: "Prediabetes on the yearly laboratory check.", plan: "Weight and sugar again in six months.", later: "Prediabetes, stable without tablets."}
	cholesterolaemia = &illness{code: snomed("55822004", "Hyperlipidemia"), ramp: 900, effects: []effect{{ldl, 68}, {triglyc, 35}},
		responds: 120, residual: 15, drugs: []*drug{atorvastatin}, panels: []*panel{lipids}, told: "A brother had a heart attack at fifty-two.", found: "Hyperlipidemia with a family history.", plan: "Statin, lipids again in three months.", later: "Lipids at target, no muscle pain."}
	asthma = &illness{code: snomed("195967001", "Asthma"), ramp: 60, effects: []effect{{saturation, -2}, {breaths, 4}, {pulse, 4}},
		responds: 120, residual: 20, drugs: []*drug{albuterol, fluticasone}, procedure: snomed("127783003", "Spirometry"), told: "Cough at night and after running.", found: "Asthma, reversible obstruction.", plan: "Inhaler technique shown and repeated back.", later: "Fewer night symptoms, inhaler technique is good."}
	pregnancy = &illness{code: snomed("72892002", "Normal pregnancy"), ramp: 270, lasts: 280, effects: []effect{{weight, 118}, {pulse, 12}, {systolic, -3}, {hemoglobin, -16}, {hematocrit, -48}, {steps, -1800}},
		residual: 100, drugs: []*drug{ferrous}, panels: []*panel{bloodCount, iron}, procedure: snomed("268445003", "Ultrasound scan - obstetric"), told: "Nausea in the mornings, otherwise well.", found: "Intrauterine pregnancy, dates agree with the scan.", plan: "Prenatal visits every four weeks, iron.", later: "Growth as expected, fetal heart heard."}
	hypothyroidism = &illness{code: snomed("40930008", "Hypothyroidism"), ramp: 240, effects: []effect{{thyrotropin, 840}, {pulse, -9}, {weight, 45}, {steps, -1200}},
		responds: 150, residual: 6, drugs: []*drug{thyroxine}, panels: []*panel{thyroid, bloodCount}, told: "Tired and cold, gained weight.", found: "Primary hypothyroidism.", plan: "Levothyroxine, TSH again in six weeks.", later: "Energy is back, TSH falling."}
	kidneys = &illness{code: snomed("433144002", "Chronic kidney disease stage 3"), ramp: 1200, effects: []effect{{filtration, -32}, {creatinine, 62}, {urea, 15}, {hemoglobin, -14}, {hematocrit, -42}, {potassium, 4}},
		residual: 100, panels: []*panel{metabolic, bloodCount}, told: "Ankles swell in the evening.", found: "Chronic kidney disease stage 3, slow course.", plan: "No anti-inflammatory tablets, kidney values every quarter.", later: "Filtration rate is steady."}
	fibrillation = &illness{code: snomed("49436004", "Atrial fibrillation"), ramp: 30, effects: []effect{{pulse, 34}, {resting, 14}, {steps, -1500}},
		responds: 60, residual: 15, drugs: []*drug{apixaban, metoprolol}, panels: []*panel{metabolic}, procedure: snomed("29303009", "Electrocardiographic procedure"), told: "The heart stumbles when climbing stairs.", found: "Atrial fibrillation on the electrocardiogram.", plan: "Anticoagulation explained, card handed out.", later: "Rate controlled, no bleeding."}
	obstruction = &illness{code: snomed("13645005", "Chronic obstructive lung disease"), ramp: 900, effects: []effect{{saturation, -6}, {breaths, 5}, {pulse, 8}, {steps, -2600}},
		responds: 180, residual: 55, drugs: []*drug{salmeterol, albuterol}, panels: []*panel{bloodCount}, procedure: snomed("127783003", "Spirometry"), told: "Short of breath on the second floor, stopped smoking four years ago.", found: "Chronic obstructive lung disease, moderate.", plan: "Lung training group, vaccination.", later: "Walks further than last time."}
	depression = &illness{code: snomed("35489007", "Depressive disorder"), ramp: 90, effects: []effect{{sleep, -85}, {steps, -2400}, {weight, -22}}, sensitive: true,
		responds: 150, residual: 15, drugs: []*drug{sertraline}, panels: []*panel{thyroid}, told: "Wakes at four, nothing gives joy.", found: "Depressive episode, no danger to self.", plan: "Talking therapy from next week, tablets in the morning.", later: "Sleeps through, back at work half days."}
	migraine = &illness{code: snomed("37796009", "Migraine"), residual: 100, drugs: []*drug{naproxen}, told: "Headache on one side with flickering, twice a month.", found: "Migraine with aura, neurological examination normal.", plan: "Headache diary.", later: "Two attacks since the last visit."}
	anaemia  = &illness{code: snomed("271737000", "Anemia"), ramp: 200, effects: []effect{{hemoglobin, -34}, {hematocrit, -98}, {ferritin, -52}, {pulse, 9}},
		responds: 150, residual: 8, drugs: []*drug{ferrous}, panels: []*panel{bloodCount, iron}, told: "Pale, out of breath on the bicycle.", found: "Iron deficiency anemia.", plan: "Iron for three months, then stores again.", later: "Hemoglobin is climbing."}
	pollen     = &illness{code: snomed("367498001", "Seasonal allergic rhinitis"), residual: 100, drugs: []*drug{loratadine}, told: "Sneezing and itching eyes every May.", found: "Seasonal allergic rhinitis.", plan: "Windows closed in the morning.", later: "Pollen season went well."}
	bronchitis = &illness{code: snomed("10509002", "Acute bronchitis"), lasts: 12, effects: []effect{{temperature, 13}, {breaths, 4}, {pulse, 12}, {saturation, -1}, {leukocytes, 38}},
		residual: 100, panels: []*panel{bloodCount}, told: "Cough and fever for two days.", found: "Acute bronchitis, lungs without infiltrate.", plan: "Rest and fluids, come back if breathing gets harder.", later: "Cough gone."}
	otitis = &illness{code: snomed("65363002", "Otitis media"), lasts: 9, effects: []effect{{temperature, 17}, {pulse, 14}},
		residual: 100, told: "Cries, pulls at the left ear.", found: "Otitis media on the left.", plan: "Pain relief, look again in two days.", later: "Ear drum normal."}
	sprain = &illness{code: snomed("44465007", "Sprain of ankle"), lasts: 30, effects: []effect{{steps, -3800}},
		residual: 100, drugs: []*drug{ibuprofen}, told: "Twisted the right ankle at football.", found: "Sprain of the ankle, no fracture by the Ottawa rules.", plan: "Ice, brace, weight as pain allows.", later: "Full movement."}
)

// course is one patient's illness in time.
type course struct {
	*illness
	onset   time.Time
	treated time.Time // zero: not yet
	visit   int       // at which it was diagnosed
}

// effect is how far the illness moves m at t.
func (c *course) effect(m *measure, t time.Time) int {
	since := days(c.onset, t)
	if since < 0 || c.lasts > 0 && since > c.lasts {
		return 0
	}
	level := 100
	if c.ramp > 0 {
		level = min(100, since*100/c.ramp)
	}
	if !c.treated.IsZero() && !t.Before(c.treated) {
		response := 100
		if c.responds > 0 {
			response = min(100, days(c.treated, t)*100/c.responds)
		}
		level = level * (100 - (100-c.residual)*response/100) / 100
	}
	for _, e := range c.effects {
		if e.on == m {
			return e.by * level / 100
		}
	}
	return 0
}

// over tells whether the illness has ended before t.
func (c *course) over(t time.Time) bool { return c.lasts > 0 && days(c.onset, t) > c.lasts }
