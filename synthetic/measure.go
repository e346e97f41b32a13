package synthetic

// measure is something that is measured. Values are integers in units of 10^-scale.
type measure struct {
	code         coding
	name         string
	unit         string // UCUM
	scale        int
	usual        [2]int // of women, of men, aged 18 to 40
	spread       int    // how far healthy people differ from each other
	noise        int    // how far one person differs from day to day
	low, high    int    // reference range; 0: no such end
	least, worst int    // no reading is outside
}

func loinc(code, display string) coding { return coding{loincSystem, code, display} }

// Vital signs.
var (
	systolic    = &measure{loinc("8480-6", "Systolic blood pressure"), "Systolic blood pressure", "mm[Hg]", 0, [2]int{113, 117}, 5, 5, 90, 139, 70, 205}
	diastolic   = &measure{loinc("8462-4", "Diastolic blood pressure"), "Diastolic blood pressure", "mm[Hg]", 0, [2]int{73, 76}, 4, 4, 60, 89, 40, 120}
	pulse       = &measure{loinc("8867-4", "Heart rate"), "Heart rate", "/min", 0, [2]int{74, 70}, 6, 5, 50, 100, 44, 175}
	temperature = &measure{loinc("8310-5", "Body temperature"), "Body temperature", "Cel", 1, [2]int{367, 366}, 1, 2, 358, 377, 355, 402}
	breaths     = &measure{loinc("9279-1", "Respiratory rate"), "Respiratory rate", "/min", 0, [2]int{15, 14}, 1, 1, 12, 20, 10, 55}
	saturation  = &measure{loinc("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"), "Oxygen saturation", "%", 0, [2]int{98, 98}, 0, 1, 94, 100, 84, 100}
	weight      = &measure{loinc("29463-7", "Body weight"), "Body weight", "kg", 1, [2]int{655, 790}, 80, 4, 0, 0, 24, 1800}
	height      = &measure{loinc("8302-2", "Body height"), "Body height", "cm", 1, [2]int{1640, 1770}, 60, 0, 0, 0, 460, 2050}
	massIndex   = &measure{loinc("39156-5", "Body mass index (BMI) [Ratio]"), "Body mass index", "kg/m2", 1, [2]int{}, 0, 0, 185, 249, 90, 600}
)

// Analytes.
var (
	hemoglobin  = &measure{loinc("718-7", "Hemoglobin [Mass/volume] in Blood"), "Hemoglobin", "g/dL", 1, [2]int{136, 149}, 5, 3, 120, 170, 60, 190}
	hematocrit  = &measure{loinc("4544-3", "Hematocrit [Volume Fraction] of Blood by Automated count"), "Hematocrit", "%", 1, [2]int{408, 447}, 0, 5, 360, 500, 180, 580}
	leukocytes  = &measure{loinc("6690-2", "Leukocytes [#/volume] in Blood by Automated count"), "White blood cells", "10*3/uL", 1, [2]int{68, 66}, 8, 8, 40, 110, 25, 190}
	platelets   = &measure{loinc("777-3", "Platelets [#/volume] in Blood by Automated count"), "Platelets", "10*3/uL", 0, [2]int{258, 240}, 30, 14, 150, 400, 90, 520}
	sodium      = &measure{loinc("2951-2", "Sodium [Moles/volume] in Serum or Plasma"), "Sodium", "mmol/L", 0, [2]int{140, 140}, 1, 1, 135, 145, 126, 152}
	potassium   = &measure{loinc("2823-3", "Potassium [Moles/volume] in Serum or Plasma"), "Potassium", "mmol/L", 1, [2]int{42, 42}, 2, 2, 35, 51, 28, 62}
	creatinine  = &measure{loinc("2160-0", "Creatinine [Mass/volume] in Serum or Plasma"), "Creatinine", "mg/dL", 2, [2]int{74, 92}, 7, 4, 50, 120, 30, 420}
	urea        = &measure{loinc("3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma"), "Urea nitrogen", "mg/dL", 0, [2]int{13, 15}, 2, 2, 7, 20, 4, 70}
	filtration  = &measure{loinc("98979-8", "Glomerular filtration rate/1.73 sq M.predicted [Volume Rate/Area] in Serum, Plasma or Blood by Creatinine-based formula (CKD-EPI 2021)"), "Estimated filtration rate", "mL/min/{1.73_m2}", 0, [2]int{103, 101}, 7, 3, 60, 0, 12, 135}
	glucose     = &measure{loinc("2345-7", "Glucose [Mass/volume] in Serum or Plasma"), "Glucose", "mg/dL", 0, [2]int{88, 91}, 4, 4, 70, 99, 58, 330}
	glycated    = &measure{loinc("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"), "Hemoglobin A1c", "%", 1, [2]int{52, 53}, 1, 1, 40, 56, 42, 122}
	cholesterol = &measure{loinc("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma"), "Total cholesterol", "mg/dL", 0, [2]int{}, 0, 0, 0, 199, 90, 380}
	triglyc     = &measure{loinc("2571-8", "Triglyceride [Mass/volume] in Serum or Plasma"), "Triglycerides", "mg/dL", 0, [2]int{98, 116}, 15, 12, 0, 149, 40, 460}
	hdl         = &measure{loinc("2085-9", "Cholesterol in HDL [Mass/volume] in Serum or Plasma"), "HDL cholesterol", "mg/dL", 0, [2]int{60, 50}, 6, 2, 40, 0, 25, 95}
	ldl         = &measure{loinc("13457-7", "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation"), "LDL cholesterol", "mg/dL", 0, [2]int{98, 104}, 12, 6, 0, 129, 40, 240}
	thyrotropin = &measure{loinc("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma"), "TSH", "m[IU]/L", 2, [2]int{180, 170}, 40, 20, 40, 400, 30, 1900}
	ferritin    = &measure{loinc("2276-4", "Ferritin [Mass/volume] in Serum or Plasma"), "Ferritin", "ng/mL", 0, [2]int{62, 120}, 15, 6, 15, 300, 3, 400}
)

// What a wearable counts in a day.
var (
	steps   = &measure{loinc("55423-8", "Number of steps in unspecified time Pedometer"), "Steps", "{steps}", 0, [2]int{7200, 7600}, 1500, 2600, 0, 0, 350, 26000}
	resting = &measure{loinc("40443-4", "Heart rate --resting"), "Resting heart rate", "/min", 0, [2]int{63, 60}, 4, 3, 0, 0, 42, 110}
	sleep   = &measure{loinc("93832-4", "Sleep duration"), "Sleep", "min", 0, [2]int{435, 425}, 20, 60, 0, 0, 190, 640}
)

// panel is a set of analytes that a laboratory reports together.
type panel struct {
	code     coding
	analytes []*measure
}

var (
	bloodCount = &panel{loinc("58410-2", "CBC panel - Blood by Automated count"), []*measure{hemoglobin, hematocrit, leukocytes, platelets}}
	metabolic  = &panel{loinc("24321-2", "Basic metabolic 2000 panel - Serum or Plasma"), []*measure{glucose, sodium, potassium, urea, creatinine, filtration}}
	lipids     = &panel{loinc("24331-1", "Lipid 1996 panel - Serum or Plasma"), []*measure{cholesterol, triglyc, hdl, ldl}}
	sugar      = &panel{loinc("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"), []*measure{glycated}}
	thyroid    = &panel{loinc("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma"), []*measure{thyrotropin}}
	iron       = &panel{loinc("2276-4", "Ferritin [Mass/volume] in Serum or Plasma"), []*measure{ferritin}}
)
